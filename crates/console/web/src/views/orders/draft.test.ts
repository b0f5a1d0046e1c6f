import { expect, test } from 'vitest';

import { asPatch, asPut, draftOf, freshDraft } from './draft';

const order = {
    code: '12345',
    line: null,
    courier: { number: '***1117', name: 'Пётр', language: null, quiet: null, time_zone: null },
    client: { number: '***2228', name: null, language: 'ru', quiet: null, time_zone: null },
    expires_at: '2030-01-01T00:00:00Z',
    created_at: '2026-01-01T00:00:00Z',
    updated_at: '2026-01-01T00:00:00Z',
    data: { crm: 7 },
    max_calls: 3,
};

test('an order that was only looked at is changed in nothing', () => {
    expect(asPatch(draftOf(order), order)).toEqual({});
});

test('what was changed is said, what was emptied is null, and masked numbers are never sent back', () => {
    const draft = draftOf(order);
    draft.courier.name = '';
    draft.client.number = '+79990000000';
    draft.client.language = 'en';
    draft.max_calls = null;
    draft.data = '';
    draft.choice = '3600';
    expect(asPatch(draft, order)).toEqual({
        courier: { name: null },
        client: { number: '+79990000000', language: 'en' },
        ttl_seconds: 3600,
        max_calls: null,
        data: null,
    });
});

test('a new order says what was filled in; data that is no JSON is a problem of its field', () => {
    const draft = freshDraft();
    draft.courier.number = '1';
    draft.client.number = '2';
    draft.client.quiet = '22:00-08:00';
    expect(asPut(draft)).toEqual({
        courier: { number: '1' },
        client: { number: '2', quiet: '22:00-08:00' },
        ttl_seconds: 864_000,
    });
    draft.data = '{';
    expect(() => asPut(draft)).toThrow(expect.objectContaining({ field: 'data' }));
});
