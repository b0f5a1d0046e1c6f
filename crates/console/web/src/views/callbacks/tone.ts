import type { components } from '../../api/schema';
import type { Tone } from '../../parts/Badge.svelte';

/** Which colour the state of a callback has. */
export function callbackTone({ state, bridged_at }: Pick<components['schemas']['Callback'], 'state' | 'bridged_at'>): Tone {
    switch (state) {
        case 'waiting':
            return 'accent';
        case 'dialling':
        case 'ringing':
        case 'first-answered':
            return 'wait';
        case 'talking':
            return 'good';
        case 'ended':
            return bridged_at ? 'plain' : 'bad';
    }
}
