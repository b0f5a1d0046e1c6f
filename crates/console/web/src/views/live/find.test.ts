import { expect, test } from 'vitest';

import { Board, type BoardCall } from '../../live/board';
import { matches } from './find';

function call(changes: Partial<BoardCall>): BoardCall {
    const board = new Board();
    const data = { line: '+78005550101', trunk: 'main', caller: '+79991112233', identity: null };
    board.apply({ id: '1', type: 'call.arrived', at: '2026-01-01T00:00:00Z', node: 'n', call: 'C', data });
    return { ...board.calls[0]!, ...changes };
}

test('by state, and by any part of what it shows', () => {
    const one = call({ caller_name: 'Анна Петрова', code: '12345' });
    expect(matches(one, null, '')).toBe(true);
    expect(matches(one, 'arriving', '')).toBe(true);
    expect(matches(one, 'talking', '')).toBe(false);
    expect(['петр', ' 234 ', '999 111-22', '8005', 'MAIN'].map((typed) => matches(one, null, typed))).toEqual(Array(5).fill(true));
    expect(matches(one, null, 'Иван')).toBe(false);
});

test('what is not known is found by nothing', () => {
    expect(matches(call({ caller: null, trunk: null, line: null }), null, '7')).toBe(false);
});
