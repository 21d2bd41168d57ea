"""What others know: a local index, Wikidata, DBpedia. One protocol for all (`protocol.Source`)."""
