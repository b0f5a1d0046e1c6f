// What is done to a call that is going on.

import { api, ask } from '../../api/client';
import { asProblem } from '../../api/problem';
import { questions } from '../../parts/questions.svelte';
import { toasts } from '../../parts/toasts.svelte';
import { explain } from '../../words/problems';
import { words } from './words';

async function tried(what: () => Promise<void>): Promise<void> {
    try {
        await what();
    } catch (thrown) {
        toasts.fault(explain(asProblem(thrown)));
    }
}

/** Ends a call, once somebody said they are sure. */
export async function hangUp(id: string, who: string): Promise<void> {
    const sure = await questions.ask({
        title: words.hangUpTitle,
        text: `${who}. ${words.hangUpText}`,
        action: words.hangUp,
        danger: true,
    });
    if (!sure) return;
    await tried(async () => {
        await ask(api.DELETE('/v1/calls/{id}', { params: { path: { id } } }));
        toasts.done(words.hungUp);
    });
}

/** Pauses the recording of a call, or resumes it. */
export async function record(id: string, on: boolean): Promise<void> {
    await tried(async () => {
        const state = on ? 'recording' : 'paused';
        await ask(api.POST('/v1/calls/{id}/recording', { params: { path: { id } }, body: { state } }));
    });
}
