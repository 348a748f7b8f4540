import { ENCODER, TRUE } from "./colours.js";
import { MASSES, gaussianRadius } from "./contours.js";
import { fitCanvas, outline, segments } from "./pixels.js";

/** Standard deviations of q that are in the picture on each side. */
const REACH = 3;

/** The square of latent space, {centre, span}, that holds q(z|x) and the lines of p(z|x). */
function closeUpWindow({ mean, logVariance, identity, lines, density }) {
    const bounds = Array.from(mean, (middle, axis) => {
        const deviation = Math.exp(logVariance[axis] / 2);
        return [middle - REACH * deviation, middle + REACH * deviation];
    });
    const include = (axis, value) => {
        bounds[axis][0] = Math.min(bounds[axis][0], value);
        bounds[axis][1] = Math.max(bounds[axis][1], value);
    };
    lines?.forEach((line) => line.forEach((value, at) => include(at % 2, value)));
    if (mean.length === 1 && identity) {
        const { centre, span, side } = identity.grid;
        density.forEach((value, cell) => value > 0.01 && include(0, centre[0] + ((cell + 0.5) / side - 0.5) * span));
    }
    return {
        centre: bounds.map(([low, high]) => (low + high) / 2),
        span: 1.1 * Math.max(...bounds.map(([low, high]) => high - low)),
    };
}

/** Draws q(z|x) and p(z|x) of a sample enlarged: on the plane they are often small. */
export function drawCloseUp(canvas, sample) {
    const { mean, logVariance, lines, density, identity } = sample;
    const context = fitCanvas(canvas);
    const { clientWidth: width, clientHeight: height } = canvas;
    const deviations = Array.from(logVariance, (value) => Math.exp(value / 2));
    const { centre, span } = closeUpWindow(sample);
    const across = (value) => ((value - centre[0]) / span + 0.5) * width;
    if (mean.length === 2) {
        const up = (value) => (0.5 - (value - centre[1]) / span) * height;
        lines?.forEach((line) => segments(context, TRUE, 1.5, line, across, up));
        MASSES.map(gaussianRadius).forEach((radius) => outline(context, ENCODER, 1.5, () => context.ellipse(
            across(mean[0]), up(mean[1]),
            (radius * deviations[0] * width) / span, (radius * deviations[1] * height) / span, 0, 0, 7)));
        return;
    }
    // Both curves to one scale: densities that integrate to 1.
    const curves = [[ENCODER, Array.from({ length: 101 }, (_, cell) => {
        const z = centre[0] + (cell / 100 - 0.5) * span;
        const away = (z - mean[0]) / deviations[0];
        return [z, Math.exp(-0.5 * away * away) / (deviations[0] * Math.sqrt(2 * Math.PI))];
    })]];
    if (identity) {
        const { grid } = identity;
        const mass = (density.reduce((sum, value) => sum + value, 0) * grid.span) / grid.side;
        curves.unshift([TRUE, Array.from(density, (value, cell) =>
            [grid.centre[0] + ((cell + 0.5) / grid.side - 0.5) * grid.span, value / mass])]);
    }
    const most = Math.max(...curves.flatMap(([, points]) => points.map(([, value]) => value)));
    for (const [colour, points] of curves) {
        outline(context, colour, 1.5, () => points.forEach(([z, value]) =>
            context.lineTo(across(z), height - 4 - (value / most) * 0.88 * height)));
    }
}
