import { expect, test } from 'vitest';

import { Announcer, pageLink } from './announce';
import type { LiveEvent } from './events';

const event = (type: string, data: Record<string, unknown> = {}, call: string | null = 'A'): LiveEvent => {
    return { id: '1', type, at: '2027-01-01T00:00:00Z', node: 'n', call, data };
};

test('a caller who is known is announced once, by name, with the line and the card', () => {
    const announcer = new Announcer();
    expect(announcer.hear(event('call.arrived', { line: '+74950000001' }))).toBeNull();
    const known = event('call.known', { party: 'caller', name: 'Анна', card_url: 'https://crm.example/1' });
    expect(announcer.hear(known)).toEqual({ call: 'A', name: 'Анна', line: '+74950000001', card: 'https://crm.example/1' });
    expect(announcer.hear(known)).toBeNull();
    expect(announcer.hear(event('call.operator'))).toBeNull();
});

test('a stranger is announced when they ask for an operator', () => {
    const announcer = new Announcer();
    announcer.hear(event('call.arrived', { line: '+74950000001' }));
    expect(announcer.hear(event('call.operator'))).toEqual({ call: 'A', name: null, line: '+74950000001', card: null });
    announcer.hear(event('call.ended'));
    expect(announcer.hear(event('call.operator'))).toMatchObject({ line: null });
});

test('whom we call is no caller', () => {
    const announcer = new Announcer();
    expect(announcer.hear(event('call.known', { party: 'callee', name: 'Иван' }))).toBeNull();
    expect(announcer.hear(event('call.ringing'))).toBeNull();
    expect(announcer.hear(event('call.operator', {}, null))).toBeNull();
});

test('a link that leads to no page is none', () => {
    expect(pageLink('https://crm.example/?id=1')).toBe('https://crm.example/?id=1');
    expect(['javascript:alert(1)', 'data:text/html,x', '//crm', '', null].map(pageLink)).toEqual([null, null, null, null, null]);
});
