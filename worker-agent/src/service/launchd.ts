import type { Service } from './service.ts';

type PlistValue = string | number | boolean | readonly string[] | { [key: string]: PlistValue };

const escaped = (text: string): string =>
  text
    .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f]/g, ' ')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;');

const xml = (value: PlistValue, indent: string): string => {
  if (typeof value === 'string') return `${indent}<string>${escaped(value)}</string>`;
  if (typeof value === 'number') return `${indent}<integer>${value}</integer>`;
  if (typeof value === 'boolean') return `${indent}<${value}/>`;
  if (Array.isArray(value))
    return [`${indent}<array>`, ...value.map((it: string) => xml(it, `${indent}  `)), `${indent}</array>`].join('\n');
  const entries = Object.entries(value).flatMap(([key, it]) => [`${indent}  <key>${escaped(key)}</key>`, xml(it, `${indent}  `)]);
  return [`${indent}<dict>`, ...entries, `${indent}</dict>`].join('\n');
};

export const labelOf = ({ id }: Pick<Service, 'id'>): string => `multi-agent-on-the-web.${id}`;

/** The launchd property list of a worker. */
export const plistOf = (service: Service, logFile: string): string => {
  const { argv, path, stopSeconds, account } = service;
  const content: PlistValue = {
    Label: labelOf(service),
    ProgramArguments: argv,
    ...(account === undefined ? {} : { UserName: account }),
    EnvironmentVariables: { PATH: path },
    RunAtLoad: true,
    KeepAlive: { SuccessfulExit: false },
    ThrottleInterval: 30,
    ExitTimeOut: stopSeconds,
    ProcessType: 'Standard',
    StandardOutPath: logFile,
    StandardErrorPath: logFile,
  };
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    '<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">',
    '<plist version="1.0">',
    xml(content, ''),
    '</plist>',
    '',
  ].join('\n');
};
