// The calls and events as this tab shows them: applied as they come, drawn once in a frame.

import { clock } from '../clock.svelte';
import { session } from '../session.svelte';
import { Board, type BoardCall } from './board';
import type { LiveEvent } from './events';
import { Feed, type Said, type Status, type Told } from './feed';
import { Journal } from './journal';
import { world } from './world';

const board = new Board();
const journal = new Journal();
const ears = new Set<(event: LiveEvent) => void>();

let status = $state<Status>('connecting');
let calls = $state.raw<readonly BoardCall[]>([]);
let events = $state.raw<readonly LiveEvent[]>([]);

let drawing = false;
function draw(): void {
    if (drawing) return;
    drawing = true;
    requestAnimationFrame(() => {
        drawing = false;
        board.prune(clock.exact());
        calls = board.calls;
        events = journal.events;
    });
}

function hear(told: Told): void {
    switch (told.kind) {
        case 'status':
            status = told.status;
            if (status === 'out' && session.now) void session.find().then(() => session.state === 'in' && begin());
            return;
        case 'all':
            status = told.status;
            board.copy(told.calls);
            journal.copy(told.journal);
            draw();
            return;
        case 'events':
            journal.add(told.events);
            for (const event of told.events) {
                board.apply(event);
                for (const ear of ears) ear(event);
            }
            board.prune(clock.exact());
            draw();
    }
}

/** The feed of this browser; of this tab alone where browsers know no shared workers. */
function connect(): (said: Said) => void {
    if ('SharedWorker' in globalThis) {
        const { port } = new SharedWorker(new URL('./worker.ts', import.meta.url), { type: 'module', name: 'bauta' });
        port.onmessage = ({ data }: MessageEvent<Told>) => hear(data);
        return (said) => port.postMessage(said);
    }
    const feed = new Feed(world);
    return (said) => (said.kind === 'begin' ? feed.begin(hear, said.who) : feed.leave(hear));
}

let say: ((said: Said) => void) | null = null;

function begin(): void {
    if (!session.now) return;
    say ??= connect();
    say({ kind: 'begin', who: `${session.now.role} ${session.now.name}` });
}

addEventListener('pagehide', () => say?.({ kind: 'leave' }));
// A page that comes back from the browser's cache has to hear again.
addEventListener('pageshow', ({ persisted }) => persisted && begin());
setInterval(() => board.lingers && draw(), 1000);

$effect.root(() => {
    // At a login, and at each one after.
    $effect(() => {
        if (session.state === 'in') begin();
    });
});

export const live = {
    get status(): Status {
        return status;
    },
    /** Newest first; those that ended stay for some seconds. */
    get calls(): readonly BoardCall[] {
        return calls;
    },
    /** The last events, newest last. */
    get events(): readonly LiveEvent[] {
        return events;
    },
    /** Hears each event from now on, at once; returns what ends it. */
    on(ear: (event: LiveEvent) => void): () => void {
        ears.add(ear);
        return () => ears.delete(ear);
    },
};
