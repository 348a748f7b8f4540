/**
 * The state in the address: `#z=0.4,-0.1&beta=4&layers=tiles,dots`, so that a link shows what its sender saw.
 * `?hide=train,picture` (or the same in the hash) leaves cards out, for a lecture.
 */

/** Reads the address: a Map of its entries as text, those of the hash first. */
export function readAddress() {
    const entries = new Map(new URLSearchParams(location.search));
    for (const [key, value] of new URLSearchParams(location.hash.slice(1))) {
        entries.set(key, value);
    }
    return entries;
}

/** Numbers of an entry such as "0.4,-0.1"; null where it has not exactly `count` finite numbers. */
export function numbersOf(text, count) {
    const numbers = (text ?? "").split(",").map(Number);
    return text && numbers.length === count && numbers.every(Number.isFinite) ? numbers : null;
}

/** Words of an entry such as "tiles,dots"; null where there is no entry. */
export function wordsOf(text) {
    return text === undefined ? null : text.split(",").filter((word) => word);
}

/**
 * Writes the entries into the hash. Null, undefined and empty entries are left out.
 * Browsers limit how often the address may change, so the last of many writes waits.
 */
export class Address {
    constructor() {
        this.timer = 0;
    }

    write(entries) {
        clearTimeout(this.timer);
        this.timer = setTimeout(() => {
            const parts = Object.entries(entries).filter(([, value]) => value !== null && value !== undefined);
            const hash = parts.map(([key, value]) => `${key}=${encodeURIComponent(value).replaceAll("%2C", ",")}`);
            history.replaceState(null, "", `#${hash.join("&")}`);
        }, 400);
    }
}
