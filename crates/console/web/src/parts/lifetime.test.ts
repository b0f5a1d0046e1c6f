import { expect, test } from 'vitest';

import { DAY, lifetime } from './lifetime';

test('a length is seconds, a moment has its time zone, and what stays is not said', () => {
    expect(lifetime(`${DAY}`, '')).toEqual({ ttl_seconds: 86_400 });
    const at = new Date(2030, 0, 2, 3, 4);
    expect(lifetime('moment', '2030-01-02T03:04')).toEqual({ expires_at: at.toISOString() });
    expect(lifetime('moment', '')).toEqual({ expires_at: '' });
    expect(lifetime('keep', '2030-01-02T03:04')).toEqual({});
    expect(lifetime('never', '')).toEqual({});
});
