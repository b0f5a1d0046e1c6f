// Which colour a state of a call has, wherever it is shown.

import type { Tone } from '../parts/Badge.svelte';

export const callTones: Readonly<Record<string, Tone>> = {
    arriving: 'accent',
    asking: 'accent',
    matching: 'accent',
    operator: 'bad',
    dialling: 'wait',
    ringing: 'wait',
    talking: 'good',
    ended: 'plain',
};
