// Notifications of the desktop for calls that arrive: by one tab of the browser, once somebody asked for them.

import favicon from '../favicon.svg';
import { phone } from '../formats';
import { keep, kept } from '../keep';
import { go, link } from '../route.svelte';
import { bellWords as words } from '../words/bell';
import { Announcer, type Announcement } from './announce';
import { live } from './live.svelte';

const supported = 'Notification' in globalThis && 'locks' in navigator;

let wanted = $state(kept('bell') === 'on');
let permission = $state(supported ? Notification.permission : 'denied');
/** Whether this tab is the one that rings. */
let holds = false;

function show({ call, name, line, card }: Announcement): void {
    const lines = [line && phone(line), card && words.card].filter(Boolean).join('\n');
    // With the call as its tag, a second one takes the place of the first.
    const shown = new Notification(name ?? words.stranger, { body: lines, tag: call, icon: favicon });
    shown.onclick = () => {
        window.focus();
        go(link(['live', call]));
        if (card) window.open(card, '_blank', 'noopener');
        shown.close();
    };
}

if (supported) {
    // Kept until the tab is closed; then another tab has it.
    void navigator.locks.request('bauta.bell', () => {
        holds = true;
        return new Promise(() => undefined);
    });
    const announcer = new Announcer();
    live.on((event) => {
        const announcement = announcer.hear(event);
        if (announcement && holds && wanted && permission === 'granted') show(announcement);
    });
    addEventListener('storage', () => {
        wanted = kept('bell') === 'on';
        permission = Notification.permission;
    });
}

export const bell = {
    supported,
    get on(): boolean {
        return wanted && permission === 'granted';
    },
    /** Whether the browser was told never to ask again. */
    get refused(): boolean {
        return permission === 'denied';
    },
    /** On or off. Must be called by a press of a button: browsers ask only then. */
    async turn(on: boolean): Promise<void> {
        if (on) permission = await Notification.requestPermission();
        wanted = on && permission === 'granted';
        keep('bell', wanted ? 'on' : null);
    },
};
