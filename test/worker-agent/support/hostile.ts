/** Commands that leave a trace if something runs them. */
const traces = (canary: string) => [`touch ${canary}`, `echo x>${canary}`, `node -e "fs.writeFileSync('${canary}','')"`];

const lines = (text: string): string[] => text.split('\n').filter((line) => line !== '');

/** Shell injections, with RUN for the command and ↵ for a line break. */
const INJECTIONS = lines(String.raw`
$(RUN)
${'`RUN`'}
;RUN;
&& RUN &&
| RUN
|| RUN
& RUN &
↵RUN↵
';RUN;'
";RUN;"
'"$(RUN)"'
\";RUN;\"
) ; RUN ; (
<(RUN)
${'${x:-$(RUN)}'}
$((${'`RUN`'}))
!RUN
#↵RUN
" & RUN & "
^& RUN
%0aRUN
{RUN,}
() { :;}; RUN
-c RUN
--eval=RUN
-oProxyCommand=RUN
--upload-pack=RUN
ext::sh -c RUN
--exec RUN
-- ; RUN
`);

/** Names of files, with CANARY for one outside. */
const FILES = lines(String.raw`
CANARY
>CANARY
2>CANARY
>>CANARY
-oCANARY
--output=CANARY
@CANARY
file://CANARY
/../..CANARY
../canary
../../canary
../../../canary
../../../../canary
./../canary
a/../../canary
..\canary
..%2fcanary
%2e%2e/canary
....//canary
..;/canary
.../canary
~/canary
$HOME/canary
%USERPROFILE%\canary
/tmp/../canary
//canary
\\host\share\canary
C:\canary
C:canary
canary:stream
．．／canary
..∕canary
 ../canary
`);

const OPTIONS =
  '- -- --- -h --help --version -rf -e -c -p -i -D/ +x /? @- --inspect=0.0.0.0 --require=x --import=data:text/javascript,0 --state-dir=/ --isolation=none --exec-allow=* --config=/etc/passwd';
const ODD =
  '* ? [a-z]* {a,b} ~ $ $$ $0 $@ $IFS % %s%s%n %PATH% !! !x! ^ & | ; < > \\ " \' ` ( ) # . .. / // ./ ../ CON NUL aux.txt \x1b[2J \x07 \x7f \x01 \u200b \u202ecod.exe \ufeff \ufffd \u0301 é 😀 👩‍👩‍👧 ؛ ； ＂ __proto__ constructor {"a":1} [] null </script><script> {{7*7}}';
const SPACED = [
  '--bind / /',
  '-rf /',
  '/c calc',
  "' OR 1=1 --",
  'a\nb',
  'a\rb',
  'a\r\nb',
  '\t',
  ' ',
  ' leading',
  'trailing ',
  '-\u00ad',
  '\u2028',
];
const LONG = ['a', '../', '$((', '"', '\\'].map((text) => text.repeat(40));

/** Over 200 texts that do harm if they are interpreted as more than text. Those that write a file write `canary`. */
export const hostileTexts = (canary: string): string[] => {
  const injected = INJECTIONS.flatMap((way) => traces(canary).map((command) => way.replaceAll('↵', '\n').replaceAll('RUN', () => command)));
  const named = FILES.map((name) => name.replaceAll('CANARY', canary));
  return [...new Set([injected, named, OPTIONS.split(' '), ODD.split(' '), SPACED, LONG].flat())];
};
