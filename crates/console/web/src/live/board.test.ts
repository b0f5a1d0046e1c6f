import { expect, test } from 'vitest';

import { Board, LINGERING, LINGERS, type Call } from './board';
import type { LiveEvent } from './events';

let count = 0;

function event(type: string, call: string | null, data: Record<string, unknown> = {}): LiveEvent {
    count += 1;
    const at = new Date(1_800_000_000_000 + count * 1000).toISOString();
    return { id: `E${String(count).padStart(8, '0')}`, type, at, node: 'n', call, data };
}

const arrived = { line: '+74950000001', trunk: 't', caller: '***1111', identity: null };

function snapshot(id: string, changes: Partial<Call> = {}): Call {
    return {
        id,
        node: 'n',
        state: 'ringing',
        line: '+74950000001',
        trunk: 't',
        caller: '***1111',
        callee: '***2222',
        callee_role: 'client',
        code: '12345',
        pair: null,
        caller_role: 'courier',
        started_at: '2027-01-01T00:00:00Z',
        bridged_at: null,
        caller_name: null,
        callee_name: null,
        card_url: null,
        ...changes,
    };
}

test('a call of an order goes through its states', () => {
    const board = new Board();
    const steps: [string, Record<string, unknown>, string][] = [
        ['call.arrived', arrived, 'arriving'],
        ['call.known', { party: 'caller', name: 'Анна', card_url: 'https://crm.example/1' }, 'arriving'],
        ['call.asked', {}, 'asking'],
        ['call.code', { code: '12345', order_found: true }, 'asking'],
        ['call.matched', { code: '12345', caller_role: 'courier', data: { x: 1 } }, 'matching'],
        ['call.dialling', { callee_role: 'client', callee: '***2222', shown: '+74950000001' }, 'dialling'],
        ['call.known', { party: 'callee', name: 'Иван', card_url: 'https://crm.example/2' }, 'dialling'],
        ['call.ringing', {}, 'ringing'],
        ['call.bridged', {}, 'talking'],
        ['recording.paused', {}, 'talking'],
    ];
    for (const [type, data, state] of steps) {
        expect(board.apply(event(type, 'A', data))).toBe(true);
        expect(board.call('A')?.state, type).toBe(state);
    }
    expect(board.call('A')).toMatchObject({
        caller: '***1111',
        caller_role: 'courier',
        caller_name: 'Анна',
        callee: '***2222',
        callee_role: 'client',
        callee_name: 'Иван',
        card_url: 'https://crm.example/1',
        code: '12345',
        paused: true,
    });
    expect(board.call('A')?.bridged_at).not.toBeNull();
    board.apply(event('recording.resumed', 'A'));
    expect(board.call('A')?.paused).toBe(false);
});

test('an operator takes the place of whoever was called, and their name with it', () => {
    const board = new Board();
    board.take([snapshot('A', { callee_name: 'Иван' })], '');
    board.apply(event('call.operator', 'A'));
    expect(board.call('A')?.state).toBe('operator');
    board.apply(event('call.dialling', 'A', { callee_role: 'operator', callee: null, shown: '+74950000001' }));
    expect(board.call('A')).toMatchObject({ state: 'dialling', callee: null, callee_role: 'operator', callee_name: null });
});

test('the first side of a callback stands in the place of the caller', () => {
    const board = new Board();
    board.apply(event('call.originated', 'A', { line: '+74950000001', data: null }));
    board.apply(event('call.dialling', 'A', { callee_role: 'first', callee: '***3333', shown: '+74950000001' }));
    expect(board.call('A')).toMatchObject({ caller: '***3333', callee: null, callee_role: null });
    board.apply(event('call.dialling', 'A', { callee_role: 'second', callee: '***4444', shown: '+74950000001' }));
    expect(board.call('A')).toMatchObject({ caller: '***3333', callee: '***4444', callee_role: 'second' });
});

test('a restored call is there with all that is known of it', () => {
    const board = new Board();
    const data = { ...arrived, callee: '***2222', callee_role: 'client', code: '7', pair: null, caller_role: 'courier' };
    const times = { started_at: '2027-01-01T00:00:00Z', bridged_at: '2027-01-01T00:00:09Z', restored: 1 };
    board.apply(event('call.restored', 'A', { ...data, ...times }));
    expect(board.call('A')).toMatchObject({ state: 'talking', callee: '***2222', code: '7', bridged_at: '2027-01-01T00:00:09Z' });
});

test('what a snapshot knows already changes nothing in it', () => {
    const board = new Board();
    const ringing = event('call.ringing', 'A');
    const bridged = event('call.bridged', 'A');
    const ended = event('call.ended', 'A', { cause: 'hung-up', ended_by: 'caller' });
    board.take([snapshot('A', { state: 'talking', bridged_at: '2027-01-01T00:00:09Z' })], bridged.id);
    expect([board.apply(ringing), board.apply(bridged)]).toEqual([false, false]);
    expect(board.call('A')?.state).toBe('talking');
    expect(board.apply(ended)).toBe(true);
});

test('an event that comes twice counts once, and one of an unknown call not at all', () => {
    const board = new Board();
    const first = event('call.arrived', 'A', arrived);
    const ended = event('call.ended', 'A', { cause: 'busy', ended_by: 'callee' });
    expect([first, first, ended, first, ended].map((each) => board.apply(each))).toEqual([true, false, true, false, false]);
    expect(board.call('A')?.ended).toMatchObject({ cause: 'busy', by: 'callee' });
    expect(board.apply(event('call.bridged', 'B'))).toBe(false);
    expect(board.apply(event('call.ended', 'B', { cause: 'busy' }))).toBe(false);
    expect(board.apply(event('order.put', null))).toBe(false);
    expect(board.calls.map(({ id }) => id)).toEqual(['A']);
});

test('a call that ended stays for a while, and not too many of them', () => {
    const board = new Board();
    board.apply(event('call.arrived', 'A', arrived));
    const ended = event('call.ended', 'A', { cause: 'busy', ended_by: 'callee' });
    board.apply(ended);
    const at = Date.parse(ended.at);
    expect([board.prune(at + LINGERS - 1), board.lingers]).toEqual([false, true]);
    expect([board.prune(at + LINGERS), board.lingers]).toEqual([true, false]);
    expect(board.calls).toEqual([]);
    for (let id = 0; id < LINGERING + 5; id += 1) {
        board.apply(event('call.arrived', `C${id}`, arrived));
        board.apply(event('call.ended', `C${id}`, { cause: 'busy', ended_by: 'callee' }));
    }
    expect(board.prune(at)).toBe(true);
    expect(board.calls.length).toBe(LINGERING);
});

test('another board takes over all there is', () => {
    const board = new Board();
    board.apply(event('call.arrived', 'A', arrived));
    board.apply(event('call.ended', 'A', { cause: 'busy', ended_by: 'callee' }));
    board.apply(event('call.arrived', 'B', arrived));
    const copy = new Board();
    copy.copy(board.calls);
    expect(copy.calls).toEqual(board.calls);
    expect(copy.prune(Number.POSITIVE_INFINITY)).toBe(true);
    expect(copy.calls.map(({ id }) => id)).toEqual(['B']);
});

test('names and headers of strangers are text and nothing else', () => {
    const board = new Board();
    board.apply(event('call.arrived', 'A', { line: 5, trunk: { a: 1 }, caller: ['x'] }));
    expect(board.call('A')).toMatchObject({ line: null, trunk: null, caller: null });
    board.apply(event('call.known', 'A', { party: 'caller', name: '<img src=x>', card_url: 7 }));
    expect(board.call('A')).toMatchObject({ caller_name: '<img src=x>', card_url: null });
});
