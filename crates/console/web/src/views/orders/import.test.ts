import { expect, test } from 'vitest';

import { Problem } from '../../api/problem';
import { Import, Rows, type Progress } from './import';

const summary = (body: string) => ({
    created: body.split('\n').filter((row) => /^\d/.test(row)).length,
    replaced: 0,
    failed: 1,
    errors: [{ row: 1, line: 2, field: 'code', code: 'code-invalid' as const, detail: 'x' }],
    errors_truncated: false,
});

async function imported(text: string, fails = 0): Promise<{ bodies: string[]; told: Progress[]; whole: boolean }> {
    const bodies: string[] = [];
    const told: Progress[] = [];
    let left = fails;
    const run = new Import(
        new Blob([text]),
        async (body) => {
            if (left > 0) {
                left -= 1;
                throw new Problem('unreachable', 0, 'x');
            }
            bodies.push(body);
            return summary(body);
        },
        (progress) => told.push(progress),
        async () => fails < 10,
    );
    return { bodies, told, whole: await run.run() };
}

test('rows are cut at line ends that no quotes hold, wherever the text was cut before', () => {
    const text = 'code,data\r\n1,"a\nb ""c""\n"\r\n2,x\n3';
    for (let size = 1; size <= text.length; size += 1) {
        const rows = new Rows();
        const found: string[] = [];
        for (let at = 0; at < text.length; at += size) found.push(...rows.take(text.slice(at, at + size)));
        found.push(...rows.end());
        expect(found).toEqual(['code,data\r\n', '1,"a\nb ""c""\n"\r\n', '2,x\n', '3']);
    }
});

test('every piece has the row of names, and errors are told by their place in the file', async () => {
    const rows = Array.from({ length: 4100 }, (_, at) => `${at}`);
    const { bodies, told, whole } = await imported(`code\n${rows.join('\n')}`);
    expect(whole).toBe(true);
    expect(bodies).toHaveLength(3);
    expect(bodies.every((body) => body.startsWith('code\n'))).toBe(true);
    expect(bodies.map((body) => body.slice(5)).join('')).toBe(rows.join('\n'));
    const last = told.at(-1);
    expect(last).toMatchObject({ share: 1, rows: 4100, created: 4100, failed: 3 });
    expect(last?.errors.map(({ row, line }) => [row, line])).toEqual([
        [1, 2],
        [2001, 2002],
        [4001, 4002],
    ]);
});

test('a piece that did not get through is sent again, and only it', async () => {
    const { bodies, whole } = await imported('code\n1\n2\n', 3);
    expect([bodies, whole]).toEqual([['code\n1\n2\n'], true]);
    expect(await imported('code\n1\n', 10)).toEqual({ bodies: [], told: [], whole: false });
});

test('a file without rows is left to the server to judge', async () => {
    expect((await imported('code\n')).bodies).toEqual(['code\n']);
    expect((await imported('')).bodies).toEqual(['']);
});
