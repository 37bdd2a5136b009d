// Search: every word has to be in a card or a row; a shown count tells how many are left.
const search = document.getElementById("search");
const hits = document.getElementById("hits");
const searched = [...document.querySelectorAll("[data-search]")];
const look = () => {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  let cards = 0;
  let rows = 0;
  for (const one of searched) {
    const text = ` ${one.dataset.search.toLowerCase()} `;
    const there = words.every((word) => text.includes(/^\d+$/.test(word) ? ` ${word} ` : word));
    one.hidden = !there;
    if (there) one.tagName === "TR" ? rows++ : cards++;
  }
  hits.textContent = words.length ? `${cards} cards, ${rows} rows of the table` : "";
};
search.addEventListener("input", look);
look();
