import { expect, test } from 'vitest';

import { happened } from './ulid';

test('the moment is in the first ten digits', () => {
    // The example of the ULID specification.
    expect(happened('01ARZ3NDEKTSV4RRFFQ69G5FAV')).toBe('2016-07-30T23:54:10.259Z');
    expect(happened('7ZZZZZZZZZZZZZZZZZZZZZZZZZ')).toBe('+010889-08-02T05:31:50.655Z');
    expect(happened(null)).toBe(null);
    expect(happened('01ARZ3NDEK')).toBe(null);
});
