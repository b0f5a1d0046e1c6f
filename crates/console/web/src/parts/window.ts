// Which rows of a long list are drawn. All rows of a list have one height.

export interface Span {
    /** The first row drawn. */
    readonly from: number;
    /** The row after the last one drawn. */
    readonly to: number;
}

/** Lists up to this many rows are drawn whole, so that a browser's own search finds everything. */
export const WHOLE = 100;
/** Rows drawn above and below what is seen. */
const MARGIN = 12;

/**
 * Rows to draw of `count` rows `height` high, whose first one begins `top` below the upper edge of a window `seen` high (negative once it
 * is scrolled away).
 */
export function span(count: number, height: number, top: number, seen: number): Span {
    if (count <= WHOLE || height <= 0) return { from: 0, to: Math.min(count, WHOLE) };
    const from = Math.floor(-top / height) - MARGIN;
    const to = Math.ceil((seen - top) / height) + MARGIN;
    const first = Math.min(Math.max(0, from), Math.max(0, count - 1));
    return { from: first, to: Math.max(first, Math.min(count, to)) };
}
