import { dictionary } from '../../language.svelte';

export const words = dictionary(
    {
        caption: 'Who did and looked at what, the last first',
        at: 'When',
        who: 'Who',
        what: 'What',
        subject: 'To what',
        number: 'About whom',
        status: 'Answer',
        refused: 'refused',
        done: 'done',
    },
    {
        caption: 'Кто что делал и смотрел, последнее сверху',
        at: 'Когда',
        who: 'Кто',
        what: 'Что',
        subject: 'С чем',
        number: 'О ком',
        status: 'Ответ',
        refused: 'отказано',
        done: 'сделано',
    },
);
