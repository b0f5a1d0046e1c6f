// Who is here. A session that ends is asked for again over what one was doing; requests that met its end wait and go on.

import { api, ask } from './api/client';
import { asProblem } from './api/problem';
import type { components } from './api/schema';

export type Session = components['schemas']['Session'];

export type Login = { token: string } | { user: string; password: string };

/** `unknown` until the server was asked; `ended` when it was one and is no more. */
type State = 'unknown' | 'unreachable' | 'out' | 'in' | 'ended';

let now = $state.raw<Session | null>(null);
let state = $state<State>('unknown');
let waiting: (() => void)[] = [];
/** Other tabs of this browser share the cookie, so what happens to it here happens to them. */
const tabs = 'BroadcastChannel' in globalThis ? new BroadcastChannel('bauta.session') : null;

function enter(entered: Session): void {
    // Somebody else sees nothing of what was on the screen.
    if (now && (now.name !== entered.name || now.role !== entered.role)) {
        location.reload();
        return;
    }
    now = entered;
    state = 'in';
    waiting.forEach((go) => go());
    waiting = [];
}

tabs?.addEventListener('message', ({ data }) => {
    if (data === 'in') void session.find();
    else if (data === 'out') location.reload();
});

export const session = {
    get now(): Session | null {
        return now;
    },
    get state(): State {
        return state;
    },
    get admin(): boolean {
        return now?.role === 'admin';
    },
    /** Asks whether there is one. */
    async find(): Promise<void> {
        try {
            enter(await ask(api.GET('/v1/session')));
        } catch (thrown) {
            const problem = asProblem(thrown);
            if (problem.status !== 401) state = now ? state : 'unreachable';
            else state = now ? 'ended' : 'out';
        }
    },
    /** Throws the problem if that is what the server has. */
    async open(login: Login): Promise<void> {
        enter(await ask(api.POST('/v1/session', { body: login })));
        tabs?.postMessage('in');
    },
    async close(): Promise<void> {
        await ask(api.DELETE('/v1/session'));
        tabs?.postMessage('out');
        location.reload();
    },
    /** Says that it has ended, and waits until there is one again. */
    renewed(): Promise<void> {
        state = now ? 'ended' : 'out';
        return new Promise((go) => waiting.push(go));
    },
};
