import { expect, test } from 'vitest';

import type { Call } from './board';
import { Feed, type SnapshotPage, type StreamEars, type Told, type World } from './feed';

function text(id: string, type: string, call: string | null = null, data: object = {}): string {
    return JSON.stringify({ id, type, at: '2027-01-01T00:00:00Z', node: 'n', call, data });
}

const call = { id: 'A', state: 'ringing', started_at: '2027-01-01T00:00:00Z' } as Call;

/** A world in which nothing happens but what a test does. */
class Script implements World {
    time = 0;
    asked: (string | null)[] = [];
    streams: { last: string | null; ears: StreamEars; closed: boolean }[] = [];
    answers: (SnapshotPage | 'out' | Error)[] = [];
    timers: { at: number; what: () => void }[] = [];

    page(cursor: string | null): Promise<SnapshotPage | 'out'> {
        this.asked.push(cursor);
        const answer = this.answers.shift() ?? { items: [], next_cursor: null, last_event: null };
        return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
    }
    listen(last: string | null, ears: StreamEars): () => void {
        const stream = { last, ears, closed: false };
        this.streams.push(stream);
        return () => (stream.closed = true);
    }
    later(milliseconds: number, what: () => void): () => void {
        const timer = { at: this.time + milliseconds, what };
        this.timers.push(timer);
        return () => (this.timers = this.timers.filter((other) => other !== timer));
    }
    now(): number {
        return this.time;
    }
    /** Lets time go by, and all that was promised happen. */
    async pass(milliseconds: number): Promise<void> {
        const end = this.time + milliseconds;
        for (;;) {
            await settled();
            const next = this.timers.filter(({ at }) => at <= end).sort((one, other) => one.at - other.at)[0];
            if (!next) break;
            this.time = Math.max(this.time, next.at);
            this.timers = this.timers.filter((other) => other !== next);
            next.what();
        }
        this.time = end;
        await settled();
    }
    get stream() {
        return this.streams.at(-1)!;
    }
}

async function settled(): Promise<void> {
    for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
}

interface Tab {
    told: Told[];
    hear: (told: Told) => void;
}

function tab(): Tab {
    const told: Told[] = [];
    return { told, hear: (each) => told.push(each) };
}

const ids = ({ told }: Tab) => told.flatMap((each) => (each.kind === 'events' ? each.events.map(({ id }) => id) : []));
const statuses = ({ told }: Tab) => told.flatMap((each) => (each.kind === 'events' ? [] : [each.status]));

async function started(answers: Script['answers'] = []): Promise<{ world: Script; feed: Feed; one: Tab }> {
    const world = new Script();
    world.answers = answers;
    const feed = new Feed(world);
    const one = tab();
    feed.begin(one.hear, 'admin a');
    await settled();
    return { world, feed, one };
}

test('all pages of a snapshot come first, then the events after its first page', async () => {
    const second = { ...call, id: 'B' };
    const { world, one } = await started([
        { items: [call], next_cursor: 'x', last_event: '05' },
        { items: [second], next_cursor: null, last_event: '07' },
    ]);
    expect(world.asked).toEqual([null, 'x']);
    expect(world.stream.last).toBe('05');
    world.stream.ears.open();
    const all = one.told.find((each) => each.kind === 'all')!;
    expect(all.calls.map(({ id, seen }) => [id, seen])).toEqual([
        ['B', '07'],
        ['A', '05'],
    ]);
    expect(statuses(one)).toEqual(['connecting', 'connecting', 'live']);
});

test('events are told once, in order, together once in a frame', async () => {
    const { world, one } = await started();
    for (const id of ['01', '02', '02', '01', '03']) world.stream.ears.event(text(id, 'call.asked', 'A'));
    expect(ids(one)).toEqual([]);
    await world.pass(20);
    expect(one.told.filter(({ kind }) => kind === 'events').length).toBe(1);
    expect(ids(one)).toEqual(['01', '02', '03']);
    world.stream.ears.event('no event');
    world.stream.ears.event('{"id":5}');
    await world.pass(20);
    expect(ids(one).length).toBe(3);
});

test('a connection that comes back by itself loses nothing and doubles nothing', async () => {
    const { world, one } = await started();
    world.stream.ears.open();
    world.stream.ears.event(text('01', 'order.put'));
    world.stream.ears.lost(false);
    world.stream.ears.open();
    for (const id of ['01', '02']) world.stream.ears.event(text(id, 'order.put'));
    await world.pass(20);
    expect(ids(one)).toEqual(['01', '02']);
    expect(statuses(one)).toEqual(['connecting', 'connecting', 'live', 'lost', 'live']);
    expect(world.streams.length).toBe(1);
});

test('one that does not is opened again after the last event', async () => {
    const { world, one } = await started();
    world.stream.ears.open();
    world.stream.ears.event(text('01', 'order.put'));
    world.answers = [new Error('away'), new Error('away')];
    world.stream.ears.lost(true);
    expect(world.stream.closed).toBe(true);
    await world.pass(5999);
    expect(world.streams.length).toBe(1);
    await world.pass(1);
    expect([world.streams.length, world.stream.last]).toEqual([2, '01']);
    world.stream.ears.open();
    world.stream.ears.event(text('02', 'order.put'));
    await world.pass(20);
    expect(ids(one)).toEqual(['01', '02']);
    // What the first one says late is heard no more.
    world.streams[0]!.ears.event(text('03', 'order.put'));
    await world.pass(20);
    expect(ids(one)).toEqual(['01', '02']);
});

test('a server that is not there at the start is waited for', async () => {
    const { world, one } = await started([new Error('away'), { items: [call], next_cursor: null, last_event: '05' }]);
    expect(statuses(one).at(-1)).toBe('lost');
    await world.pass(2000);
    expect(world.stream.last).toBe('05');
    expect(one.told.at(-1)).toMatchObject({ kind: 'all', status: 'connecting' });
});

test('after a gap all is read anew', async () => {
    const { world, one } = await started([{ items: [call], next_cursor: null, last_event: '05' }]);
    world.answers = [{ items: [{ ...call, id: 'B' }], next_cursor: null, last_event: '90' }];
    world.stream.ears.gap();
    await settled();
    expect(world.streams.map(({ last, closed }) => [last, closed])).toEqual([
        ['05', true],
        ['90', false],
    ]);
    const all = one.told.findLast((each) => each.kind === 'all')!;
    expect(all.calls.map(({ id }) => id)).toEqual(['B']);
    world.stream.ears.event(text('89', 'order.put'));
    world.stream.ears.event(text('91', 'order.put'));
    await world.pass(20);
    expect(ids(one)).toEqual(['91']);
});

test('a second tab hears all there is, and both hear the rest, by one connection', async () => {
    const { world, feed, one } = await started([{ items: [call], next_cursor: null, last_event: '05' }]);
    world.stream.ears.event(text('06', 'call.bridged', 'A'));
    const two = tab();
    feed.join(two.hear);
    feed.begin(two.hear, 'admin a');
    const all = two.told.find((each) => each.kind === 'all')!;
    expect(all.calls).toMatchObject([{ id: 'A', state: 'talking' }]);
    expect(all.journal.map(({ id }) => id)).toEqual(['06']);
    world.stream.ears.event(text('07', 'order.put'));
    await world.pass(20);
    expect(ids(one)).toEqual(['06', '07']);
    expect(ids(two).at(-1)).toBe('07');
    expect(world.streams.length).toBe(1);
    feed.leave(one.hear);
    expect(world.stream.closed).toBe(false);
    feed.leave(two.hear);
    expect(world.stream.closed).toBe(true);
});

test('a session that has ended is told, and the next one begins anew', async () => {
    const { world, feed, one } = await started();
    world.stream.ears.event(text('01', 'order.put'));
    world.answers = ['out'];
    world.stream.ears.lost(true);
    await world.pass(2000);
    expect(statuses(one).at(-1)).toBe('out');
    world.answers = [{ items: [], next_cursor: null, last_event: '09' }];
    feed.begin(one.hear, 'operator b');
    await settled();
    expect(world.stream.last).toBe('09');
    // Another person does not see what the one before saw.
    expect(one.told.at(-1)).toMatchObject({ kind: 'all', journal: [] });
});

test('after a sleep of the machine the connection is made anew', async () => {
    const { world } = await started();
    world.stream.ears.open();
    world.stream.ears.event(text('01', 'order.put'));
    await world.pass(60_000);
    expect(world.streams.length).toBe(1);
    world.time += 3_600_000;
    await world.pass(10_000);
    expect(world.streams.map(({ last, closed }) => [last, closed])).toEqual([
        [null, true],
        ['01', false],
    ]);
});
