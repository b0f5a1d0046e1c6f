// "Are you sure?": asked by anybody, shown in one place.

export interface Question {
    readonly title: string;
    readonly text: string;
    /** The word on the button that does it. */
    readonly action: string;
    readonly danger?: boolean;
}

let now = $state.raw<{ question: Question; answer: (yes: boolean) => void } | null>(null);

export const questions = {
    get now(): Question | null {
        return now?.question ?? null;
    },
    /** Whether whoever was asked says yes. */
    ask(question: Question): Promise<boolean> {
        now?.answer(false);
        return new Promise((answer) => (now = { question, answer }));
    },
    answer(yes: boolean): void {
        now?.answer(yes);
        now = null;
    },
};
