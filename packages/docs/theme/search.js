// Searches the site with Pagefind, whose index was made when the site was built. Nothing is asked of another origin.
const root = new URL(document.body.dataset.root, location.href);
const input = document.querySelector('#search');
const found = document.querySelector('#found');
const most = 8;
let pagefind;

input.hidden = false;
input.addEventListener('focus', () => void load(), { once: true });
input.addEventListener('input', () => void search());
document.addEventListener('keydown', (event) => {
  const isTyping = event.target instanceof HTMLElement && event.target.matches('input, textarea, [contenteditable]');
  if (event.key === '/' && !isTyping && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    input.focus();
  } else if (event.key === 'Escape') {
    found.hidden = true;
  } else if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
    move(event);
  }
});
document.addEventListener('pointerdown', ({ target }) => {
  if (!input.parentElement.contains(target)) found.hidden = true;
});

function load() {
  pagefind ??= import(new URL('pagefind/pagefind.js', root)).then(async (module) => {
    await module.options({ excerptLength: 24 });
    return module;
  });
  return pagefind;
}

async function search() {
  const asked = input.value.trim();
  if (asked === '') return show(asked, []);
  const { debouncedSearch } = await load();
  const answer = await debouncedSearch(asked, {}, 120);
  // Null: more was typed meanwhile.
  if (answer === null) return;
  const pages = await Promise.all(answer.results.slice(0, most).map((result) => result.data()));
  if (asked === input.value.trim()) show(asked, pages);
}

function show(asked, pages) {
  found.hidden = asked === '';
  if (asked !== '' && pages.length === 0) found.textContent = `Nothing has “${asked}” in it.`;
  else found.replaceChildren(...pages.map(link));
}

function link({ url, meta, excerpt, sub_results: parts }) {
  const [best] = parts;
  const anchor = document.createElement('a');
  anchor.href = best?.url ?? url;
  const title = document.createElement('strong');
  title.textContent = best === undefined || best.title === meta.title ? meta.title : `${meta.title} › ${best.title}`;
  const text = document.createElement('span');
  // Pagefind escapes the text and puts nothing but <mark> in it.
  text.innerHTML = best?.excerpt ?? excerpt;
  anchor.append(title, text);
  return anchor;
}

/** Arrow keys go through the results, and back to the field. */
function move(event) {
  if (found.hidden) return;
  const places = [input, ...found.querySelectorAll('a')];
  const at = places.indexOf(document.activeElement);
  if (at < 0) return;
  event.preventDefault();
  places.at((at + (event.key === 'ArrowDown' ? 1 : -1) + places.length) % places.length).focus();
}
