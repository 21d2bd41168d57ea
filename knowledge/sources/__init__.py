"""Knowledge sources: a local index, Wikidata, DBpedia. One protocol for all (`protocol.Source`)."""
