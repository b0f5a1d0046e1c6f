import { expect, test } from 'vitest';

import { span, WHOLE } from './window';

test('a short list is drawn whole wherever it stands', () => {
    expect(span(0, 40, 0, 800)).toEqual({ from: 0, to: 0 });
    expect(span(WHOLE, 40, -100_000, 800)).toEqual({ from: 0, to: WHOLE });
});

test('before a row was measured, as many are drawn as are always', () => {
    expect(span(1_000_000, 0, 0, 800)).toEqual({ from: 0, to: WHOLE });
});

test('of a long list those are drawn that are seen, and some around them', () => {
    expect(span(1_000_000, 40, 0, 800)).toEqual({ from: 0, to: 32 });
    expect(span(1_000_000, 40, -4000, 800)).toEqual({ from: 88, to: 132 });
    expect(span(1000, 40, -1000 * 40, 800)).toEqual({ from: 988, to: 1000 });
});

test('a list that became shorter than where it was scrolled to still has a row', () => {
    expect(span(200, 40, -1_000_000, 800)).toEqual({ from: 199, to: 200 });
});
