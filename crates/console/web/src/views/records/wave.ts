// Loudness over time as the outline of a shape.

/** The `d` of a path 1 wide for each point and 2 high, mirrored about its middle; what is silent is a line one can still see. */
export function outline(peaks: readonly number[]): string {
    if (peaks.length === 0) return '';
    const heights = peaks.map((peak) => Math.max(0.02, Math.min(1, peak)));
    const above = heights.map((height, at) => `${at} ${(1 - height).toFixed(3)}`);
    const below = heights.map((height, at) => `${at} ${(1 + height).toFixed(3)}`).reverse();
    return `M${above.join('L')}L${below.join('L')}Z`;
}
