// One short sound at a time: a prompt, or what a text sounds like.

let now = $state<string | null>(null);
let failed: (() => void) | null = null;
const audio = new Audio();
audio.addEventListener('ended', () => (now = null));
audio.addEventListener('error', () => {
    // Taking the address away is heard as an error as well.
    if (now !== null) failed?.();
    now = null;
});

export const sound = {
    /** The address of what is heard. */
    get now(): string | null {
        return now;
    },
    /** Plays it from its beginning, or stops it if it is what is heard. */
    toggle(address: string, onfailed: () => void): void {
        if (now === address) {
            sound.stop();
            return;
        }
        now = address;
        failed = onfailed;
        audio.src = address;
        audio.play().catch((fault: unknown) => {
            // Another sound in its place is no failure.
            if (fault instanceof DOMException && fault.name === 'AbortError') return;
            if (now === address) now = null;
            onfailed();
        });
    },
    stop(): void {
        now = null;
        audio.pause();
    },
};
