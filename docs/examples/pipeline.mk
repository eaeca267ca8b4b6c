# Publishes a folder of documents as plain files, if what is stored is right and retrieval is no worse than the baseline.
#     make -f pipeline.mk DOCS=... OUT=... QUERIES=queries.tsv QRELS=qrels.tsv
# A gate that fails ends make, and nothing is published. The first run makes the baseline; commit it, and remove it to accept new figures.
CORPUSFS ?= corpusfs
BASELINE ?= baseline.json

.PHONY: publish index verify evaluate

publish: verify evaluate
	$(CORPUSFS) export $(DOCS) $(OUT)

index:
	$(CORPUSFS) index $(DOCS)

verify: index
	$(CORPUSFS) verify $(DOCS)

evaluate: index $(BASELINE)
	$(CORPUSFS) eval --baseline=$(BASELINE) $(DOCS) $(QUERIES) $(QRELS)

$(BASELINE): | index
	$(CORPUSFS) eval --save=$@ $(DOCS) $(QUERIES) $(QRELS)
