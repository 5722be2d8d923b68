<?php
/* A guestbook, run by php-cgi: the last entries, a form, and each entry under an address of its own (PATH_INFO).
 * Entries are lines of JSON in a file; its lock is what keeps writers apart. */
declare(strict_types=1);

const FILE = __DIR__ . '/../../data/guestbook.jsonl';
const SHOWN = 50, NAME_MOST = 60, TEXT_MOST = 1000;

function entries(): array
{
	$lines = is_file(FILE) ? file(FILE, FILE_IGNORE_NEW_LINES | FILE_SKIP_EMPTY_LINES) : [];
	return array_map(fn($line) => json_decode($line, true), $lines);
}

function add(string $name, string $text): void
{
	$line = json_encode(['time' => time(), 'name' => $name, 'text' => $text], JSON_INVALID_UTF8_SUBSTITUTE);
	file_put_contents(FILE, $line . "\n", FILE_APPEND | LOCK_EX);
}

/* A field of the form, without blanks at its ends; what is longer than it may be is cut off. */
function posted(string $name, int $most): string
{
	$value = is_string($_POST[$name] ?? null) ? trim($_POST[$name]) : '';
	return preg_match("/^.{0,$most}/su", $value, $found) ? $found[0] : '';
}

function h(string $text): string
{
	return htmlspecialchars($text, ENT_QUOTES | ENT_SUBSTITUTE);
}

/* A browser says where a form came from: other sites' are refused. */
function is_ours(): bool
{
	return in_array($_SERVER['HTTP_SEC_FETCH_SITE'] ?? 'none', ['same-origin', 'none'], true);
}

function entry(int $number, array $e): string
{
	return '<article class="entry"><h3>' . h($e['name']) . '</h3>'
		. '<p class="soft"><a href="/guestbook/index.php/' . $number . '">No. ' . $number . '</a>, '
		. gmdate('j F Y, H:i', $e['time']) . ' UTC</p><p>' . nl2br(h($e['text'])) . '</p></article>';
}

function form(string $name, string $text, string $wrong): string
{
	return '<form method="post" action="/guestbook/">'
		. ($wrong === '' ? '' : '<p class="wrong" role="alert">' . h($wrong) . '</p>')
		. '<label>Name <input name="name" required maxlength="' . NAME_MOST . '" autocomplete="name" value="'
		. h($name) . '"></label>'
		. '<label>Message <textarea name="text" required rows="3" maxlength="' . TEXT_MOST . '">' . h($text)
		. '</textarea></label>'
		. '<button>Write</button></form>';
}

function page(string $title, string $body): void
{
	header('Content-Type: text/html; charset=utf-8');
	header('Cache-Control: no-store');
	echo '<!doctype html><html lang="en"><head><meta charset="utf-8">'
		. '<meta name="viewport" content="width=device-width, initial-scale=1"><title>' . h($title) . ' – petrel</title>'
		. '<link rel="icon" href="data:,"><link rel="stylesheet" href="/style.css"></head><body class="app">'
		. '<header><a class="name" href="/">petrel</a> <a href="/#applications">Applications</a></header><main>'
		. '<h1>' . h($title) . '</h1>' . $body . '</main><footer>PHP ' . PHP_VERSION . ', ' . PHP_SAPI . ', process '
		. getmypid() . '</footer></body></html>';
}

function front(string $name = '', string $text = '', string $wrong = ''): void
{
	$all = entries();
	$list = '';
	for ($i = count($all); $i > 0 && $i > count($all) - SHOWN; $i--)
		$list .= entry($i, $all[$i - 1]);
	page('Guestbook', form($name, $text, $wrong)
		. ($list === '' ? '<p class="soft">Nobody has written yet.</p>' : $list));
}

function one(string $number): void
{
	$all = entries();
	if (!ctype_digit($number) || !isset($all[(int)$number - 1])) {
		http_response_code(404);
		page('No such entry', '<p><a href="/guestbook/">All entries</a></p>');
		return;
	}
	page('Guestbook, No. ' . (int)$number, entry((int)$number, $all[(int)$number - 1])
		. '<p><a href="/guestbook/">All entries</a></p>');
}

function take(): void
{
	$name = posted('name', NAME_MOST);
	$text = posted('text', TEXT_MOST);
	if (!is_ours() || $name === '' || $text === '') {
		http_response_code(is_ours() ? 422 : 403);
		front($name, $text, is_ours() ? 'Both a name and a message are needed.' : 'This form was sent by another site.');
		return;
	}
	add($name, $text);
	header('Location: /guestbook/', true, 303);  /* so that loading the page again sends nothing again */
}

$info = ltrim($_SERVER['PATH_INFO'] ?? '', '/');
if ($_SERVER['REQUEST_METHOD'] === 'POST')
	take();
elseif ($info !== '')
	one($info);
else
	front();
