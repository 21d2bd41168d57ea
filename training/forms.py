"""The forms of the training pages. The launch form is made of a system's description, with its defaults filled in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.conf import settings

from extraction.models import Checkpoint
from extraction.readings import model_registry
from training.models import Dataset, Promotion, Work

MOST_SEEDS = 10
Description = dict[str, Any]
TRAINING, NETWORK = "t-", "n-"
# Settings whose names in the code are too short for people.
SETTINGS = {
    "align": "Alignment width",
    "average": "Weight averaging",
    "band": "Band of the word-pair grid",
    "batch": "Batch size",
    "batch_pieces": "Word pieces per batch",
    "clip": "Gradient clipping",
    "crossing": "Cross-attention layers",
    "decay": "Weight decay",
    "depth": "Depth map",
    "detected": "Detected frames",
    "dropped_pairs": "Dropped co-occurrence levels",
    "encoder_rate": "Learning rate of the encoder",
    "farthest": "Largest dependency distance",
    "fraction": "Share of the training examples",
    "frozen_pieces": "Freeze word embeddings",
    "grounded": "Grounded frames",
    "halve_every": "Halve the learning rate every",
    "head_rate": "Learning rate of new layers",
    "image": "Use the picture",
    "inner": "Width of the feed-forward layer",
    "knowledge": "Use facts",
    "lifted": "Lifted pair scores",
    "limit": "Limit of examples",
    "longest": "Longest sentence",
    "most": "Largest number of objects",
    "noise": "Noise words",
    "objects": "Number of objects",
    "outer": "Outer iterations of the alignment",
    "iterations": "Inner iterations of the alignment",
    "per_relation": "Examples per relation",
    "save_minutes": "Minutes between saves",
    "size": "Picture size",
    "title": "Show the title",
    "title_dropped": "Share without title",
    "top": "Objects per word",
    "vanilla": "Plain transformer",
    "vision_rate": "Learning rate of the vision encoder",
    "warmup": "Warm-up",
    "weights": "Weights of the data sets",
}
PAIRS = {"pair", "region_pair"}  # heads that are asked about mentions which another checkpoint finds


class Numbers(forms.CharField):
    """Values separated by commas."""

    def __init__(self, parse: Callable[[str], Any], expected: str, **options: Any) -> None:
        super().__init__(**options)
        self.parse, self.expected = parse, expected

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(str(one) for one in value) if isinstance(value, list | tuple) else value

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        try:
            return [self.parse(part.strip()) for part in text.split(",") if part.strip()]
        except ValueError:
            raise forms.ValidationError(f"Enter {self.expected}, separated by commas.") from None


class SharesField(forms.CharField):
    """`name=number`, separated by commas."""

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(f"{name}={share:g}" for name, share in value.items()) if isinstance(value, dict) else value

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        found: dict[str, float] = {}
        for part in filter(None, (one.strip() for one in text.split(","))):
            name, _, number = part.partition("=")
            try:
                found[name.strip()] = float(number)
            except ValueError:
                raise forms.ValidationError("Enter name=number pairs, separated by commas.") from None
        return found


def field_for(described: Description) -> forms.Field:
    """The form's field for one setting of a description."""
    kind, options = described["kind"], {"help_text": described["note"]}
    options |= {
        "label": SETTINGS.get(described["name"], described["name"].replace("_", " ").capitalize()),
        "required": not described.get("optional", False),
    }
    if kind == "bool":
        return forms.BooleanField(**{**options, "required": False})
    if kind == "choice":
        return forms.ChoiceField(choices=[(one, one or "none") for one in described["options"]], **options)
    if kind == "int":
        return forms.IntegerField(min_value=0, max_value=10**9, **options)
    if kind == "float":
        return forms.FloatField(min_value=0, widget=forms.NumberInput(attrs={"step": "any"}), **options)
    if kind == "list":
        parse: dict[str, Callable[[str], Any]] = {"int": int, "float": float}
        return Numbers(parse.get(described["of"], str), "values", **{**options, "required": False})
    if kind == "shares":
        return SharesField(**{**options, "required": False})
    return forms.CharField(max_length=200, **{**options, "required": False})


class FormWithoutColons(forms.Form):
    """Labels without a colon, as on the other pages."""

    def __init__(self, data: Any = None, *, initial: Any = None, prefix: str | None = None) -> None:
        super().__init__(data, initial=initial, prefix=prefix, label_suffix="")


class LaunchForm(FormWithoutColons):
    """What a run is launched with: its data, encoder, seeds and device, and every setting of its system."""

    name = forms.CharField(max_length=80, required=False, help_text="Defaults to the name of the system")
    datasets = forms.ModelMultipleChoiceField(
        Dataset.objects.filter(state=Work.State.DONE).order_by("name"),
        widget=forms.CheckboxSelectMultiple,
        label="Data sets",
        error_messages={"required": "Choose at least one data set."},
    )
    labels = forms.ChoiceField(
        choices=[
            ("mapped", "kgbuilder's, to analyse posts"),
            ("native", "the data set's own, to compare with published metrics"),
        ],
        initial="mapped",
    )
    encoder = forms.CharField(
        max_length=200,
        initial="all-MiniLM-L6-v2",
        help_text="A local folder with a Hugging Face model, or all-MiniLM-L6-v2 (installed)",
    )
    seeds = Numbers(int, "whole numbers", initial=[1], help_text="One run per seed, for example 1, 2, 3")
    device = forms.ChoiceField()

    vision = forms.CharField(max_length=200, required=False)  # its help text explains an empty value for the recipe
    pictures = forms.BooleanField(
        required=False,
        help_text="Use the pictures in the folder images of the data set; otherwise its regions on a grey canvas",
    )
    start = forms.ModelChoiceField(
        Checkpoint.objects.none(),
        required=False,
        label="Start from",
        empty_label="the encoder",
        help_text="A checkpoint of the same system, whose weights and labels the run continues with",
    )
    mentions = forms.ModelChoiceField(
        Checkpoint.objects.none(),
        required=False,
        label="Mentions from",
        empty_label="the shipped checkpoint",
        help_text="The checkpoint that finds the mentions when this one analyses posts",
    )
    field_order = ("name", "head", "labels", "encoder", "start", "mentions", "vision", "pictures", "seeds", "device")

    def __init__(self, description: Description, system: str, recipe: Description, data: Any = None) -> None:
        self.described: Description = description["systems"][system]
        self.recipe: Description = recipe["values"]
        super().__init__(data, initial=_initial(self.described, self.recipe))
        self.fields["device"] = forms.ChoiceField(choices=[(one, one) for one in description["devices"]])
        self.fields["head"] = forms.ChoiceField(
            choices=[(one, one.replace("_", " ")) for one in self.described["heads"]], label="Task"
        )
        if len(self.described["heads"]) < 2:
            del self.fields["head"]
        start = self.fields["start"]
        assert isinstance(start, forms.ModelChoiceField)
        start.queryset = Checkpoint.objects.filter(system=system).order_by("-pk")
        mentions = self.fields["mentions"]
        assert isinstance(mentions, forms.ModelChoiceField)
        finders = [one.pk for one in Checkpoint.objects.all() if model_registry.finds_mentions(one)]
        mentions.queryset = Checkpoint.objects.filter(pk__in=finders).order_by("-pk")
        if not PAIRS & set(self.described["heads"]):
            del self.fields["mentions"]
        if not self.described["vision"]:
            del self.fields["vision"], self.fields["pictures"]
        else:
            empty = "a small network with random weights" if self._small() else "none; pictures are not used"
            named = "A vision model by its name on the hub, or a local folder"
            self.fields["vision"].help_text = f"{named}. Empty: {empty}"
        for prefix, part in ((TRAINING, "training"), (NETWORK, "network")):
            for setting in self.described[part]:
                self.fields[prefix + setting["name"]] = field_for(setting)
        self.order_fields(self.field_order)

    def general(self) -> list[forms.BoundField]:
        return [self[name] for name in self.fields if not name.startswith((TRAINING, NETWORK)) and name != "datasets"]

    def training(self) -> list[forms.BoundField]:
        return [self[name] for name in self.fields if name.startswith(TRAINING)]

    def network(self) -> list[forms.BoundField]:
        return [self[name] for name in self.fields if name.startswith(NETWORK)]

    def clean_seeds(self) -> list[int]:
        seeds: list[int] = list(dict.fromkeys(self.cleaned_data["seeds"]))
        if not 1 <= len(seeds) <= MOST_SEEDS or any(not 0 <= seed < 2**31 for seed in seeds):
            raise forms.ValidationError(f"Enter 1 to {MOST_SEEDS} different numbers from 0.")
        return seeds

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        chosen = list(cleaned.get("datasets") or [])
        formats = [dataset.format for dataset in chosen]
        if len(set(formats)) < len(formats):
            self.add_error("datasets", "Two of these are copies of the same data set; choose one.")
        if len(chosen) > 1 and cleaned.get("labels") == "native":
            self.add_error("labels", "Labels of a data set can only be used in a run on this data set alone.")
        if any("train" not in dataset.counts for dataset in chosen):
            self.add_error("datasets", "One of these has no train split.")
        if cleaned.get("pictures") and not cleaned.get("start") and not self._vision(cleaned.get("vision", "")):
            self.add_error("pictures", "Pictures need a vision encoder: choose one, or do not use pictures.")
        return cleaned

    def config(self) -> dict[str, Any]:
        """The run's settings as they are kept with it: every one, so that a later default changes nothing."""
        cleaned, described = self.cleaned_data, self.described
        training = {one["name"]: cleaned[TRAINING + one["name"]] for one in described["training"]}
        network = {one["name"]: cleaned[NETWORK + one["name"]] for one in described["network"]}
        return {
            **training,
            "network": network,
            "labels": cleaned["labels"],
            "encoder": cleaned["encoder"],
            "head": cleaned.get("head", ""),
            "start": cleaned["start"].path if cleaned["start"] else "",
            "mentions": cleaned["mentions"].path if cleaned.get("mentions") else "",
            "vision": self._vision(cleaned.get("vision", "")),
            "images": "own" if cleaned.get("pictures") else "",
            "data": sorted(dataset.format for dataset in cleaned["datasets"]),
        }

    def _vision(self, source: str) -> dict[str, Any]:
        """As named; without a name a small one, where the recipe has any."""
        return {"source": source} if source else self._small()

    def _small(self) -> dict[str, Any]:
        """The vision encoder with random weights of this recipe or, if it names a trained one, of another for the same
        system; empty where there is none. A recipe that trains without one has none."""
        configured = self.recipe.get("vision", {})
        others = [one["values"].get("vision", {}) for one in self.described["recipes"]] if configured else []
        return dict(next((one for one in (configured, *others) if "architecture" in one), {}))


def _initial(described: Description, recipe: Description) -> dict[str, Any]:
    """A recipe's value for each field; a setting of the network that it does not name has the paper's value."""
    found = {TRAINING + name: value for name, value in recipe.items()}
    found |= {NETWORK + one["name"]: recipe["network"].get(one["name"], one["default"]) for one in described["network"]}
    found |= {name: recipe[name] for name in ("labels", "encoder", "head") if name in recipe}
    own = Dataset.objects.filter(state=Work.State.DONE, format__in=recipe.get("data", ())).order_by("pk")
    chosen = list({dataset.format: dataset.pk for dataset in own}.values())
    vision = recipe.get("vision", {})
    found |= {"vision": vision.get("source", ""), "pictures": bool(vision)}
    return {**found, "device": settings.DEVICE, "datasets": chosen}


class ManyFiles(forms.ClearableFileInput):
    allow_multiple_selected = True


class UploadForm(FormWithoutColons):
    """An uploaded data set. The files themselves are checked by `training.data.uploads`."""

    name = forms.CharField(max_length=100)
    format = forms.ChoiceField()

    def __init__(self, formats: list[str], data: Any = None) -> None:
        super().__init__(data, prefix="upload")
        self.fields["format"] = forms.ChoiceField(choices=[(one, one) for one in formats])
        self.fields["files"] = forms.CharField(
            required=False,
            widget=ManyFiles(),
            help_text=f"A zip archive or the files; at most {settings.DATASET_MB} MB",
        )

    def clean_name(self) -> str:
        return free_name(self.cleaned_data["name"])


class NameForm(FormWithoutColons):
    """A data set that lies in DATASETS_DIR."""

    name = forms.CharField(max_length=100, required=False, help_text="Defaults to the name of the format")
    place = forms.ChoiceField(label="Folder")

    def __init__(self, offered: list[tuple[str, str]], data: Any = None) -> None:
        super().__init__(data, prefix="named")
        shown = [(f"{format}:{root}", format if root == "." else f"{format}, in {root}") for format, root in offered]
        self.fields["place"] = forms.ChoiceField(choices=shown, label="Folder")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        format, _, root = cleaned.get("place", "").partition(":")
        name = cleaned.get("name") or (format if root in (".", "") else f"{format} in {root}")
        if format:
            cleaned["name"] = free_name(name)
        return cleaned


def free_name(name: str) -> str:
    if Dataset.objects.filter(name=name).exists():
        raise forms.ValidationError("A data set with this name already exists.")
    return name


class EvaluateForm(FormWithoutColons):
    """Which split of which data set a checkpoint is evaluated on."""

    dataset = forms.ModelChoiceField(Dataset.objects.filter(state=Work.State.DONE).order_by("name"), label="Data set")
    split = forms.ChoiceField(choices=[(one, one) for one in ("test", "dev", "train")])

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        dataset, split = cleaned.get("dataset"), cleaned.get("split")
        if dataset and split and split not in dataset.counts:
            self.add_error("split", f"This data set has no {split} split.")
        return cleaned


class PromoteForm(FormWithoutColons):
    """Which posts a promoted checkpoint analyses again."""

    reread = forms.ChoiceField(
        choices=Promotion.Reread.choices, widget=forms.RadioSelect, initial="all", label="Posts to analyse"
    )
    since = forms.DateField(required=False, widget=forms.DateInput(attrs={"type": "date"}), label="Published since")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if cleaned.get("reread") == Promotion.Reread.SINCE and not cleaned.get("since"):
            self.add_error("since", "Enter a date.")
        return cleaned
