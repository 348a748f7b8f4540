/**
 * The status line. It is a polite live region: a screen reader says each new text when it has a pause.
 */
export class Status {
    /** @param {HTMLElement} element an element with role=status */
    constructor(element) {
        this.element = element;
        this.last = -Infinity;
    }

    /** Shows and says a text at once. */
    say(text) {
        this.last = performance.now();
        this.element.textContent = text;
    }

    /** Shows and says a text of a series (training), at most one each 5 seconds. */
    progress(text) {
        if (performance.now() - this.last >= 5000) {
            this.say(text);
        }
    }
}
