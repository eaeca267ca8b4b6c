"""Many documents of several kinds, the same for the same numbers: documents.py FOLDER COUNT ROUND. Every round after 0 rewrites a third."""
import os
import random
import sys

folder, count, turn = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
WORDS = open(__file__).read().split() + """harbour lighthouse keeper wind ship morning evening weather storm tide anchor captain leave notice parental
employee manager contract salary holiday report observatory comet telescope budget rent electricity invoice customer delivery""".split()
for i in range(count):
    rng = random.Random(i * 1000 + turn)
    if turn and rng.random() > 0.33:
        continue
    paragraphs = [" ".join(rng.choice(WORDS) for _ in range(rng.randrange(20, 120))) + "." for _ in range(rng.randrange(1, 30))]
    name = "%s/%d/doc%d" % (folder, i % 20, i)
    os.makedirs(os.path.dirname(name), exist_ok=True)
    if i % 3 == 0:
        text = "<html><title>Document %d</title><body>%s</body></html>" % (i, "".join("<p>%s</p>" % p.replace("<", "") for p in paragraphs))
        name += ".html"
    else:
        text = "# Document %d\n\n" % i + "\n\n## Part\n\n".join(paragraphs) + "\n"
        name += (".txt", ".md")[i % 2]
    # Some have the same bytes as others.
    if i % 17 == 5:
        text = "The same text stands in many files.\n"
    with open(name + ".new", "w") as file:
        file.write(text)
    os.rename(name + ".new", name)
