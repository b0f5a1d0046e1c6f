// Short messages at the edge: what was done goes by itself, what failed stays until it is dismissed.

export interface Toast {
    readonly id: number;
    readonly text: string;
    readonly fault: boolean;
}

const STAYS = 5000;
const MOST = 4;

let last = 0;
let now = $state.raw<readonly Toast[]>([]);

function add(text: string, fault: boolean): void {
    last += 1;
    const toast = { id: last, text, fault };
    now = [...now, toast].slice(-MOST);
    if (!fault) setTimeout(() => toasts.dismiss(toast.id), STAYS);
}

export const toasts = {
    get now(): readonly Toast[] {
        return now;
    },
    done(text: string): void {
        add(text, false);
    },
    fault(text: string): void {
        add(text, true);
    },
    dismiss(id: number): void {
        now = now.filter((toast) => toast.id !== id);
    },
};
