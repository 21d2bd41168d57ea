"""`manage.py evaluate`: a checkpoint's scores on test splits, as rows of Markdown. Needs no database."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

TRIED = ("shuffle_images", "disturb_regions", "against", "images")  # asked of a joint system too
# Options without effect on the requested evaluation are refused: its figures would be taken for the intended ones.
ELSEWHERE = {
    "seeds": ("titles", "mentions", "data", "by_relation", "confusion", *TRIED),
    "titles": ("mentions", "data", "by_relation", "confusion", *TRIED),
}


class Command(BaseCommand):
    help = "Score a checkpoint of any system on the test parts of the data sets that it was trained on, or harder ones."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("checkpoint", nargs="?", help="folder (default: the shipped checkpoint)")
        parser.add_argument("--evaluation", type=int, help="do this one of the training pages; the trainer does so")
        parser.add_argument("--data-root", default=os.environ.get("KGBUILDER_DATA", ""), help="folder of the data sets")
        parser.add_argument("--data", help="data sets, separated by commas (default: those of its training)")
        parser.add_argument("--titles", action="store_true", help="compare dev figures with and without titles instead")
        parser.add_argument(
            "--by-relation", action="store_true", help="also each relation's own score at the thresholds"
        )
        parser.add_argument("--confusion", action="store_true", help="also which label was taken for which, of pairs")
        parser.add_argument("--split", choices=["dev", "test"], default="test")
        parser.add_argument("--shuffle-images", type=float, default=0.0, help="share of examples given another's")
        parser.add_argument("--disturb-regions", type=float, default=0.0, help="share of regions that are made wrong")
        parser.add_argument(
            "--images",
            help="folders of pictures, joined by : (default: the data set's own, or those of the training; '': none)",
        )
        parser.add_argument("--seed", type=int, default=0, help="of what is shuffled and disturbed")
        parser.add_argument("--mentions", help="a checkpoint before the pair checkpoint: quintuples count")
        parser.add_argument("--seeds", nargs="+", help="folders of runs: mean and spread of their figures")
        parser.add_argument("--against", help="predictions-test.json of another run, to be compared with")
        parser.add_argument("--parses", help="cache of parses; without it the sentences are parsed")

    def handle(self, *args: Any, **options: Any) -> None:
        from extraction.datasets.registry import DatasetError
        from extraction.reader.checkpoint import SHIPPED, CheckpointError, LoadedCheckpoint
        from extraction.text.parser import ParserMissing
        from training.data.parse_cache import ParsesMissing
        from training.heads import HEADS

        if options["evaluation"]:
            from training.jobs.child_main import do_evaluation

            do_evaluation(options["evaluation"])
        for name, others in ELSEWHERE.items():
            if options[name] and (unused := [one for one in others if options[one] not in (None, False, 0.0)]):
                raise CommandError(f"--{name} takes no --{unused[0].replace('_', '-')}: leave one of them out.")
        if options["seeds"]:
            self._seeds([Path(folder) for folder in options["seeds"]])
            return
        if not options["data_root"]:
            raise CommandError("Which folder holds the data sets? Name it with --data-root or in KGBUILDER_DATA.")
        root = Path(options["data_root"])
        try:
            checkpoint = LoadedCheckpoint.load(Path(options["checkpoint"] or SHIPPED))
            parser = self._parser(checkpoint, options["parses"])
            self.stdout.write(f"{checkpoint.manifest.name}, digest {checkpoint.digest}, parser {parser.version}\n\n")
            head = HEADS[checkpoint.manifest.head]
            if options["confusion"] and (options["mentions"] or not head.pairs):
                raise CommandError(
                    "--confusion counts which label of a given pair was taken for which; found mentions have no such "
                    "table. Leave it out: --by-relation has each relation's score."
                )
            if options["titles"]:
                self._titles(checkpoint, head, parser, root)
            elif options["mentions"]:
                self._pipeline(LoadedCheckpoint.load(Path(options["mentions"])), checkpoint, root, options)
            elif not head.by_data_set or any(options[name] for name in TRIED):
                self._tried(checkpoint, head, parser, root, options)
            else:
                self._figures(checkpoint, head, parser, root, options)
        except (CheckpointError, DatasetError, ParserMissing, ParsesMissing, ValueError) as error:
            raise CommandError(str(error)) from error

    def _parser(self, checkpoint: Any, cache: str | None) -> Any:
        from training.data.parse_cache import ParseCache
        from training.run import parser_for

        return parser_for(checkpoint.manifest.system, ParseCache.load(Path(cache)) if cache else None)

    def _seeds(self, folders: list[Path]) -> None:
        from training.evaluation.robustness import spreads

        try:
            for line in spreads(folders):
                self.stdout.write(line)
        except ValueError as error:
            raise CommandError(str(error)) from error

    def _pipeline(self, mentions: Any, pairs: Any, root: Path, options: dict[str, Any]) -> None:
        from extraction.datasets.registry import load
        from extraction.text.parser import Parser
        from training.data.parse_cache import ParseCache
        from training.evaluation.pipeline_evaluation import score_pipeline
        from training.evaluation.robustness import against, harder, pictures_shown, report_lines
        from training.heads import HEADS

        if not options["data"]:
            raise CommandError("Name the data set whose quintuples count with --data (jmere, say).")
        parser = ParseCache.load(Path(options["parses"])) if options["parses"] else Parser.load()
        config = pairs.manifest.training["config"]
        for name in options["data"].split(","):
            trial = _trial(name, options)
            examples = load(name, trial.split, root, config["labels"])
            examples = harder(examples, trial, HEADS[pairs.manifest.head], self.stdout.write)
            images = pictures_shown(pairs, examples, root, trial, self.stdout.write)
            judged = score_pipeline(mentions, pairs, HEADS, examples, parser, images)
            self.stdout.write(f"{name} {trial.split}, {len(judged.counts)} sentences, quintuples")
            for line in report_lines(judged, options["by_relation"]):
                self.stdout.write(f"  {line}")
            if options["against"]:
                self.stdout.write(f"  {against(judged, Path(options['against']))}")

    def _tried(self, checkpoint: Any, head: Any, parser: Any, root: Path, options: dict[str, Any]) -> None:
        from training.evaluation.robustness import against, report_lines, tried

        training = checkpoint.manifest.training["config"]
        for name in options["data"].split(",") if options["data"] else training["data"]:
            trial = _trial(name, options)
            judged = tried(checkpoint, head, root, trial, parser, self.stdout.write)
            self.stdout.write(f"{name} {trial.split}, {len(judged.counts)} items")
            for line in report_lines(judged, options["by_relation"], options["confusion"]):
                self.stdout.write(f"  {line}")
            if options["against"]:
                self.stdout.write(f"  {against(judged, Path(options['against']))}")

    def _figures(self, checkpoint: Any, head: Any, parser: Any, root: Path, options: dict[str, Any]) -> None:
        from training.evaluation.benchmark_rows import HEADING, by_relation, score_test_part
        from training.publishing.model_card import line

        training = checkpoint.manifest.training["config"]
        names = options["data"].split(",") if options["data"] else training["data"]
        split = options["split"]
        self.stdout.write(line([f"{split} part", *HEADING[1:]]))
        self.stdout.write(line(["---"] * len(HEADING)))
        for name in names:
            self.stdout.write(line(score_test_part(checkpoint, head, parser, root, name, split).row()))
        if options["by_relation"]:
            for name in names:
                self.stdout.writelines(f"{row}\n" for row in by_relation(checkpoint, head, parser, root, name, split))

    def _titles(self, checkpoint: Any, head: Any, parser: Any, root: Path) -> None:
        from training.evaluation.benchmark_rows import with_and_without_titles

        for row in with_and_without_titles(checkpoint, head, parser, root):
            self.stdout.write(row)


def _trial(name: str, options: dict[str, Any]) -> Any:
    from training.evaluation.robustness import Trial

    related_options = ("split", "shuffle_images", "disturb_regions", "seed", "images")
    return Trial(name, **{option: options[option] for option in related_options})
