import { expect, test } from 'vitest';

import { ladder } from './ladder';

const message = (leg: string, direction: 'in' | 'out', milliseconds: number, text: string) => ({
    at: new Date(1_700_000_000_000 + milliseconds).toISOString(),
    leg,
    direction,
    transport: 'UDP' as const,
    from: '127.0.0.1:5060',
    to: '127.0.0.2:5060',
    method: text.startsWith('SIP/') ? 'INVITE' : (text.split(' ')[0] ?? ''),
    status: text.startsWith('SIP/') ? Number(text.split(' ')[1]) : null,
    text,
});

test('the caller stands left of us, whoever is called right, and arrows go as the messages went', () => {
    const found = ladder({
        call: '01',
        lost: 0,
        identity: null,
        messages: [
            message('caller', 'in', 0, 'INVITE sip:x SIP/2.0\r\n\r\n'),
            message('callee 1', 'out', 20, 'INVITE sip:y SIP/2.0\r\n\r\n'),
            message('callee 1', 'in', 1500, 'SIP/2.0 486 Busy Here\r\n\r\n'),
            message('operator', 'out', 1600, 'INVITE sip:z SIP/2.0\r\n\r\n'),
        ],
    });
    expect(found.columns).toEqual(['caller', null, 'callee 1', 'operator']);
    const seen = found.rungs.map(({ after, from, to, label, response, refusal }) => [after, from, to, label, response, refusal]);
    expect(seen).toEqual([
        [0, 0, 1, 'INVITE', false, false],
        [20, 1, 2, 'INVITE', false, false],
        [1500, 2, 1, '486 Busy Here', true, true],
        [1600, 1, 3, 'INVITE', false, false],
    ]);
});

test('nothing is a ladder of us alone', () => {
    expect(ladder({ call: '01', lost: 0, identity: null, messages: [] })).toEqual({ columns: [null], rungs: [] });
});
