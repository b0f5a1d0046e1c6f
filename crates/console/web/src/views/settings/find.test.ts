import { expect, test } from 'vitest';

import { found, shown } from './find';

const sections = [
    { section: 'node', keys: [{ key: 'name', value: 'south', default: false }] },
    {
        section: 'sip',
        keys: [
            { key: 'listen', value: ['udp://0.0.0.0:5060', 'tcp://0.0.0.0:5060'], default: true },
            { key: 'max_calls', value: 1000, default: true },
        ],
    },
];
const names = (typed: string, written = false) =>
    found(sections, typed, written).flatMap(({ section, keys }) => keys.map(({ key }) => `${section}.${key}`));

test('keys are found by section, name and value', () => {
    expect(names('')).toEqual(['node.name', 'sip.listen', 'sip.max_calls']);
    expect(names(' SIP.max')).toEqual(['sip.max_calls']);
    expect(names('udp://')).toEqual(['sip.listen']);
    expect(names('nowhere')).toEqual([]);
});

test('what nobody wrote can be left out', () => {
    expect(names('', true)).toEqual(['node.name']);
});

test('values are texts', () => {
    expect([null, 5, true, 'x', ['a', 'b'], { a: 1 }].map(shown)).toEqual(['', '5', 'true', 'x', 'a, b', '{"a":1}']);
});
