import { dictionary } from '../language.svelte';

export const bellWords = dictionary(
    {
        stranger: 'Somebody asks for an operator',
        card: 'Click to open the card',
        turnOn: 'Notify me of calls',
        turnOff: 'Stop notifying me of calls',
        refused: 'Notifications are blocked for this page in the browser’s settings',
        off: 'Notifications are off',
        on: 'Notifications are on',
    },
    {
        stranger: 'Кто-то просит оператора',
        card: 'Нажмите, чтобы открыть карточку',
        turnOn: 'Уведомлять о звонках',
        turnOff: 'Не уведомлять о звонках',
        refused: 'Уведомления этой страницы запрещены в настройках браузера',
        off: 'Уведомления выключены',
        on: 'Уведомления включены',
    },
);
