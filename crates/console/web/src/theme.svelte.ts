// Light or dark: as the system has it, unless somebody chose.

import { keep, kept } from './keep';

export type Theme = 'system' | 'light' | 'dark';

const chosen = kept('theme');
let now = $state<Theme>(chosen === 'light' || chosen === 'dark' ? chosen : 'system');
const system = matchMedia('(prefers-color-scheme: dark)');
let systemDark = $state(system.matches);
system.addEventListener('change', () => (systemDark = system.matches));

function show(): void {
    if (now === 'system') delete document.documentElement.dataset['theme'];
    else document.documentElement.dataset['theme'] = now;
}
show();

export const theme = {
    get now(): Theme {
        return now;
    },
    /** What is shown, for what is drawn without style sheets. */
    get dark(): boolean {
        return now === 'system' ? systemDark : now === 'dark';
    },
    choose(next: Theme): void {
        now = next;
        keep('theme', next === 'system' ? null : next);
        show();
    },
};
