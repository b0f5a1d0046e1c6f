import { expect, test } from 'vitest';

import { wanted } from './search';

test.each([
    ['', {}],
    ['  ', {}],
    ['123', { code: '123' }],
    ['123456789012', { code: '123456789012' }],
    ['+7 999 111-22-33', { number: '+79991112233' }],
    ['89991112233', { number: '89991112233' }],
    ['8 (999) 111 22 33', { number: '89991112233' }],
    ['Анна', { name: 'Анна' }],
    [' O’Brien 2 ', { name: 'O’Brien 2' }],
])('%j', (text, found) => {
    expect(wanted(text)).toEqual(found);
});
