import { expect, test } from 'vitest';

import { outline } from './wave';

test('an outline goes there above the middle and back below it', () => {
    expect(outline([0.5, 2, 0])).toBe('M0 0.500L1 0.000L2 0.980L2 1.020L1 2.000L0 1.500Z');
    expect(outline([])).toBe('');
});
