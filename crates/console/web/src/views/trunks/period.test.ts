import { expect, test } from 'vitest';

import { columns, range, type Point } from './period';

const now = Date.parse('2027-01-15T10:20:30Z');

function point(at: string, calls: number): Point {
    return {
        at,
        trunk: 't',
        calls,
        answered: 1,
        dialled: 2,
        reached: 1,
        answer_seizure_ratio: 0.5,
        post_dial_delay_p50_ms: 900,
        post_dial_delay_p95_ms: 3000,
        talk_seconds: 90,
        mos: 4.1,
        mos_p5: 3.2,
        most_at_once: 2,
    };
}

test('a period ends with the step that is going on, and has whole steps', () => {
    const iso = (period: Parameters<typeof range>[0]) => {
        const { from, to, step } = range(period, now);
        return [new Date(from).toISOString(), new Date(to).toISOString(), step];
    };
    expect(iso('hour')).toEqual(['2027-01-15T09:21:00.000Z', '2027-01-15T10:21:00.000Z', 'minute']);
    expect(iso('week')).toEqual(['2027-01-08T11:00:00.000Z', '2027-01-15T11:00:00.000Z', 'hour']);
    expect(iso('year')).toEqual(['2026-01-16T00:00:00.000Z', '2027-01-16T00:00:00.000Z', 'day']);
});

test('steps nobody called in have no calls and no ratio', () => {
    const drawn = columns([point('2027-01-15T10:00:00Z', 2), point('2020-01-01T00:00:00Z', 9)], range('hour', now));
    expect(drawn.at.length).toBe(60);
    const place = drawn.at.indexOf(Date.parse('2027-01-15T10:00:00Z') / 1000);
    expect([drawn.calls[place], drawn.asr[place], drawn.minutes[place]]).toEqual([2, 0.5, 1.5]);
    expect([drawn.calls[place + 1], drawn.asr[place + 1], drawn.mos[place + 1]]).toEqual([0, null, null]);
    expect(drawn.calls.reduce((all, each) => all + each, 0)).toBe(2);
});
