import { expect, test } from 'vitest';

import { bytes, duration, masked, phone } from './formats';

test('lengths', () => {
    expect([0, 7.9, 61, 3600, 36_061, -5].map(duration)).toEqual(['0:00', '0:07', '1:01', '1:00:00', '10:01:01', '0:00']);
});

test('telephone numbers, whole and masked', () => {
    expect(phone('+79991112233')).toBe('+7\u00a0999\u00a0111\u201122\u201133');
    expect(phone('+4930123456')).toBe('+4930123456');
    expect(phone('***2233')).toBe('•••\u00a02233');
    expect(phone('h:0123456789abcdef')).toBe('#01234567');
    expect(['+79991112233', '***2233', 'h:01'].map(masked)).toEqual([false, true, true]);
});

test('what is no telephone number stays as it is', () => {
    expect(phone('<b>1</b>')).toBe('<b>1</b>');
});

test('sizes', () => {
    expect([0, 999, 1400, 123_456, 5_000_000].map((size) => bytes(size, 'en'))).toEqual([
        '0\u00a0B',
        '999\u00a0B',
        '1.4\u00a0kB',
        '123\u00a0kB',
        '5\u00a0MB',
    ]);
});
