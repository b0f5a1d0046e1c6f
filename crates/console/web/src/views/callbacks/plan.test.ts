import { expect, test } from 'vitest';

import { planForm, planPut } from './plan';

const hours = { window: null, time_zone: null };
const side = { strategy: null, ring_seconds: null, line: null, prompt: null, confirm: null };

test('what a plan does not say is not said when it is kept again', () => {
    expect(planPut(planForm(null))).toEqual({ first: {}, second: {} });
    const plan = { name: 'p', updated_at: '', first: side, second: side, line: null, max_seconds: null, record: null, ...hours };
    expect(planPut(planForm(plan))).toEqual({ first: {}, second: {} });
});

test('what it says stays', () => {
    const first = { strategy: 'at-once', ring_seconds: 25, line: '+78005550101', prompt: 'wait-client', confirm: true } as const;
    const put = { first, second: { confirm: false }, line: '+78005550101', max_seconds: 1800, record: false, window: '09:00-21:00', time_zone: 'Europe/Moscow' };
    const plan = { ...put, name: 'p', updated_at: '', second: { ...side, confirm: false } };
    expect(planPut(planForm(plan))).toEqual(put);
});

test('a text is spoken in place of a prompt', () => {
    const prompt = { text: 'Добрый день', language: 'ru' };
    const plan = { name: 'p', updated_at: '', first: { ...side, prompt }, second: side, line: null, max_seconds: null, record: null, ...hours };
    expect(planPut(planForm(plan))).toEqual({ first: { prompt }, second: {} });
});

test('what is no number is left to the server to refuse', () => {
    expect(planPut({ ...planForm(null), max: 'an hour' })).toMatchObject({ max_seconds: 'an hour' });
});
