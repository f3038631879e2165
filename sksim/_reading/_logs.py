"""Predictions in files: tables as they are, and evaluation logs as tables."""

import gzip
import hashlib
import json
import math
import re
import zipfile
import zlib
from os import PathLike
from pathlib import Path

import pandas as pd

from sksim._reading._columns import array_of_table, table_with_ids
from sksim._reading._files import (
    _READERS,
    _TABLES,
    _nearby,
    ending_of,
    read_array,
)
from sksim._reading._options import Options, Unreadable, listed

# Names of the ids of rows of the logs that are known.
ID_LEVELS = (("task", "doc_id", "filter"), ("task", "id", "epoch"))
_LM_EVAL, _INSPECT = ID_LEVELS
_NAME = re.compile(r"samples_(.+?)_\d{4}-\d\d-\d\dT[\d.:-]+$")
# Fields of lm-evaluation-harness that are no scores, where it does not list the scores.
_NO_SCORES = {
    "doc_id", "doc", "target", "arguments", "resps", "filtered_resps", "filter",
    "metrics", "doc_hash", "prompt_hash", "target_hash",
}  # fmt: skip
_VALUES = {
    "C": 1.0, "I": 0.0, "P": 0.5, "N": 0.0,
    "yes": 1.0, "true": 1.0, "no": 0.0, "false": 0.0,
}  # fmt: skip


def read_predictions(
    path: str | PathLike[str],
    *,
    task: str | None = None,
    filter: str | None = None,
) -> pd.DataFrame:
    r"""Predictions in a table, or in the log of an evaluation.

    Parameters
    ----------
    path : str or path-like
        A table (.csv, .tsv, .txt, .parquet, .feather, or .jsonl with one record in each
        line); a log of lm-evaluation-harness, ``samples_TASK_TIME.jsonl`` as
        ``--log_samples`` writes it; a log of inspect-ai, .json or .eval; or a folder
        with logs of one model.
    task : str, default=None
        Which task, where a folder holds several. None reads all.
    filter : str, default=None
        Which of the harness's filters of answers. None reads all, each row by itself.

    Returns
    -------
    table : DataFrame
        Tables are as they are. A row of a log is an answer: the index has the levels
        ``task``, ``doc_id`` and ``filter`` (lm-evaluation-harness) or ``task``, ``id``
        and ``epoch`` (inspect-ai); ``target`` and ``answer`` are text, and there is a
        column for each score, of single numbers. Fields of the document are columns
        ``doc.NAME`` or ``metadata.NAME``.

    Raises
    ------
    ValueError
        If the file is no table or log, or a folder holds the logs of several models, or
        two of one task.

    See Also
    --------
    sksim.pairwise.compare_predictions : Takes the path as well as the table.
    read_array : Representations in files.

    Notes
    -----
    The answer of a multiple-choice row is the number of the choice with the largest
    log-likelihood; ``answer_norm`` divides it by the number of characters, as
    ``acc_norm`` does. C, P, I and N of inspect-ai are 1, .5, 0 and 0. A score that is
    not there is nan.

    Examples
    --------
    >>> import json, tempfile
    >>> from pathlib import Path
    >>> from sksim.datasets import read_predictions
    >>> path = Path(tempfile.mkdtemp(), "samples_sums_2026-11-28T09-15-02.1142.jsonl")
    >>> record = {"doc_id": 7, "doc": {"level": 2}, "target": "4", "filter": "none",
    ...           "filtered_resps": ["5"], "metrics": ["exact_match"], "exact_match": 0}
    >>> _ = path.write_text(json.dumps(record))
    >>> table = read_predictions(path)
    >>> list(table.index), list(table.columns)
    ([('sums', 7, 'none')], ['target', 'answer', 'exact_match', 'doc.level'])
    """
    path = Path(path)
    if not path.exists():
        raise ValueError(f"{path}: no such file{_nearby(path)}.")
    try:
        table = _of_folder(path, task) if path.is_dir() else _of_file(path)
        return _chosen(table, path, task=task, filter=filter)
    except Unreadable as error:
        raise ValueError(f"{path}: {error}") from error


def may_be_read(name):
    """Whether a name ends as those of files do that hold predictions."""
    return ending_of(name) in (*_READERS, ".jsonl", ".json", ".eval")


def read_answers(path, options, *, task=None, filter=None):
    """Predictions in a file of any kind that is known: answers, or probabilities.

    Parameters
    ----------
    path : str
        Of a table, or a log, as `read_predictions` takes them, or of an array, as
        `read_array` does.
    options : Options
        How a table is read. A column that looks like ids names the rows, unless
        ``index_col`` says otherwise.
    task, filter : see `read_predictions`

    Returns
    -------
    predictions : DataFrame or array
    """
    path, ending = Path(path), ending_of(path)
    if path.is_dir() or ending not in _READERS:
        return read_predictions(path, task=task, filter=filter)
    if not path.exists():
        raise ValueError(f"{path}: no such file{_nearby(path)}.")
    if ending not in _TABLES:
        return read_array(path, key=options.key)
    try:
        table, names = _READERS[ending](path, options)
        if names is None:
            return array_of_table(table, None, options)
        return table_with_ids(table, names, options)
    except Unreadable as error:
        raise ValueError(f"{path}: {error}") from error


def _chosen(table, path, **wanted):
    """Rows of one task, and one filter."""
    for level, value in wanted.items():
        if value is None:
            continue
        if level not in table.index.names:
            raise Unreadable(f"{level}={value!r} is for logs that have a {level}.")
        values = table.index.get_level_values(level)
        if value not in values:
            raise Unreadable(
                f"it has no {level} {value!r}, only {listed(values.unique(), 20)}."
            )
        table = table[values == value]
    # of several tasks only some have this field
    return table.dropna(axis=1, how="all") if wanted["task"] else table


def _of_file(path):
    name = path.name.lower()
    if name.endswith((".jsonl", ".jsonl.gz")):
        return _of_lines(path)
    if name.endswith((".json", ".json.gz")):
        return _of_json(path)
    if name.endswith(".eval"):
        return _of_inspect(*_parts_of_archive(path))
    ending = ending_of(path)
    if ending not in _TABLES:
        raise Unreadable(
            f"files that end in {path.suffix or 'nothing'} hold no predictions: "
            f"{', '.join(_TABLES)}, .jsonl, .json and .eval may."
        )
    table, names = _READERS[ending](path, Options())
    if names is None:
        raise Unreadable(
            "its columns have no names: write a first line that says which holds the "
            "ids and which the answers."
        )
    return table.set_axis(names, axis=1)


def _text_of(path):
    try:
        if path.suffix.lower() == ".gz":
            with gzip.open(path, "rt", encoding="utf-8") as stream:
                return stream.read()
        return path.read_text("utf-8")
    except (UnicodeDecodeError, EOFError, OSError, zlib.error) as error:
        raise Unreadable(f"corrupt: it can't be read as text ({error}).") from error


def _parsed(text, where):
    try:
        return json.loads(text)
    except ValueError as error:
        raise Unreadable(
            f"corrupt, or cut off: {where} is no JSON ({error})."
        ) from None


def _of_lines(path):
    records = [
        _parsed(line, f"line {i + 1}")
        for i, line in enumerate(_text_of(path).split("\n"))
        if line.strip()
    ]
    for i, record in enumerate(records):
        if not isinstance(record, dict):
            raise Unreadable(f"line {i + 1} holds no record, but {record!r:.40}.")
    if not records:
        raise Unreadable("it has no rows.")
    if "doc_id" in records[0] and {"resps", "filtered_resps"} & set(records[0]):
        return _of_lm_eval(records, _task_of(path))
    return pd.DataFrame.from_records(records)


def _of_json(path):
    content = _parsed(_text_of(path), "the file")
    if isinstance(content, dict) and "eval" in content and "samples" in content:
        return _of_inspect(content, content["samples"] or [])
    if isinstance(content, dict) and "eval" in content:
        raise Unreadable(
            "a log without samples: inspect-ai writes these unless "
            "--no-log-samples is given."
        )
    if isinstance(content, list) and all(isinstance(row, dict) for row in content):
        return pd.DataFrame.from_records(content)
    raise Unreadable("neither a log of inspect-ai nor a list of records.")


def _of_folder(folder, task):
    samples = sorted(folder.rglob("samples_*.jsonl"))
    if samples:
        _refuse_several(folder, [path.parent for path in samples], "models")
        if task is not None:
            samples = [p for p in samples if _task_of(p) == task] or samples
        _refuse_twice([_task_of(path) for path in samples], samples)
        return pd.concat([_of_file(path) for path in samples])
    logs = sorted([*folder.glob("*.eval"), *folder.glob("*.json")])
    if not logs:
        raise Unreadable(
            "a folder without logs: neither samples_*.jsonl of lm-evaluation-harness "
            "(run it with --log_samples) nor .eval or .json of inspect-ai."
        )
    models = []
    for path in logs:
        header = _header_of(path)
        models.append(header.get("model", "unknown"))
    _refuse_several(folder, models, "models")
    tables = [_of_file(path) for path in logs]
    _refuse_twice([table.index[0][0] for table in tables], logs)
    return pd.concat(tables)


def _header_of(path):
    content = (
        _parts_of_archive(path)[0]
        if path.suffix == ".eval"
        else _parsed(_text_of(path), path.name)
    )
    return content.get("eval", {}) if isinstance(content, dict) else {}


def _refuse_several(folder, found, what):
    found = list(dict.fromkeys(found))
    if len(found) > 1:
        shown = [p.name if isinstance(p, Path) else p for p in found]
        raise Unreadable(
            f"it holds the logs of several {what} ({listed(shown)}): pass the folder "
            "or the file of one."
        )


def _refuse_twice(tasks, paths):
    for task in dict.fromkeys(tasks):
        own = [p.name for p, other in zip(paths, tasks, strict=True) if other == task]
        if len(own) > 1:
            raise Unreadable(
                f"it holds the task {task!r} {len(own)} times ({listed(own)}): pass "
                "one of these files."
            )


# ----- lm-evaluation-harness ----------------------------------------------------------


def _task_of(path):
    stem = path.name.removesuffix(".gz").removesuffix(".jsonl")
    found = _NAME.match(stem)
    return found[1] if found else stem


def _of_lm_eval(records, task):
    rows, ids = [], []
    for record in records:
        ids.append((task, record["doc_id"], record.get("filter", "none")))
        row = {"target": _as_text(record.get("target"))} | _answers_of(record)
        if "doc_hash" in record:
            row["doc_hash"] = record["doc_hash"]
        names = record.get("metrics") or set(record) - _NO_SCORES
        scores = {name: _as_score(record.get(name)) for name in record if name in names}
        row |= {name: score for name, score in scores.items() if score is not None}
        rows.append(row | _fields(record.get("doc"), "doc."))
    index = pd.MultiIndex.from_tuples(ids, names=_LM_EVAL)
    return pd.DataFrame(rows, index=index)


def _as_text(value):
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def _as_score(value):
    """A score as a number; nan where it is empty, None where it is no number."""
    if value is None:
        return math.nan
    return float(value) if isinstance(value, bool | int | float) else None


def _answers_of(record):
    """The answer: a text, or the number of the likeliest choice."""
    answers = record.get("filtered_resps") or []
    likelihoods = [_likelihood(each) for each in answers]
    if len(answers) > 1 and None not in likelihoods:
        found = {"answer": str(_first_of_largest(likelihoods))}
        lengths = _lengths_of_choices(record.get("arguments"))
        if len(lengths) == len(likelihoods) and all(lengths):
            by_length = [
                one / length for one, length in zip(likelihoods, lengths, strict=True)
            ]
            found["answer_norm"] = str(_first_of_largest(by_length))
        return {**found, "n_options": len(likelihoods)}
    if not answers or None not in likelihoods:
        return {"answer": None}  # the likelihood of one text is no answer
    return {"answer": _as_text(answers[0] if len(answers) == 1 else answers)}


def _likelihood(answer):
    """Log-likelihood of a choice, which comes with whether it is the greedy one."""
    is_pair = isinstance(answer, list | tuple) and len(answer) == 2
    if not is_pair or str(answer[1]) not in ("True", "False"):
        return None
    return float(answer[0])


def _first_of_largest(values):
    return max(range(len(values)), key=values.__getitem__)


def _lengths_of_choices(arguments):
    """Characters of each choice, without the space that parts it from the question."""
    if isinstance(arguments, dict):
        arguments = [list(each.values()) for each in arguments.values()]
    choices = [each[1] for each in arguments or [] if len(each) > 1]
    if not all(isinstance(choice, str) for choice in choices):
        return []
    return [len(choice.removeprefix(" ")) for choice in choices]


def _fields(content, prefix):
    """Single values among the fields of a document."""
    if not isinstance(content, dict):
        return {}
    return {
        f"{prefix}{name}": value
        for name, value in content.items()
        if isinstance(value, str | bool | int | float)
    }


# ----- inspect-ai ---------------------------------------------------------------------


def _parts_of_archive(path):
    """Header and samples of an .eval file, which is a zip archive of JSON."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            if "header.json" not in names:
                raise Unreadable("a log that was not finished: it has no header.json.")
            header = _parsed(archive.read("header.json"), "header.json")
            samples = [
                _parsed(archive.read(name), name)
                for name in names
                if name.startswith("samples/") and name.endswith(".json")
            ]
    except (zipfile.BadZipFile, NotImplementedError, zlib.error) as error:
        raise Unreadable(
            f"no archive that can be read ({error}): write it as .json, by inspect log "
            "convert --to json."
        ) from error
    return header, samples


def _of_inspect(log, samples):
    if not samples:
        raise Unreadable("a log without samples.")
    task = log["eval"].get("task", "")
    rows, ids = [], []
    for sample in samples:
        ids.append((task, sample["id"], sample.get("epoch", 1)))
        target = sample.get("target")
        row = {"target": _as_text(target), "doc_hash": _hash_of(sample)}
        scores = sample.get("scores") or {}
        for name, score in scores.items():
            row |= _values_of(name, score.get("value"), ids[-1])
            answer = _as_text(score.get("answer"))
            row["answer" if len(scores) == 1 else f"{name}.answer"] = answer
        rows.append(row | _fields(sample.get("metadata"), "metadata."))
    index = pd.MultiIndex.from_tuples(ids, names=_INSPECT)
    return pd.DataFrame(rows, index=index)


def _hash_of(sample):
    shown = json.dumps(
        [sample.get(key) for key in ("input", "choices")], sort_keys=True
    )
    return hashlib.sha256(shown.encode()).hexdigest()


def _values_of(name, value, row):
    """Columns of a score: one, or one for each part."""
    if isinstance(value, dict):
        return {
            f"{name}.{part}": _as_number(each, name, row)
            for part, each in value.items()
        }
    return {name: _as_number(value, name, row)}


def _as_number(value, name, row):
    if value is None:
        return math.nan
    if isinstance(value, bool | int | float):
        return float(value)
    if isinstance(value, str):
        known = _VALUES.get(value, _VALUES.get(value.lower()))
        if known is not None:
            return known
        try:
            return float(value)
        except ValueError:
            pass
    raise Unreadable(
        f"the score {name!r} of sample {row[1]!r} is {value!r:.40}, no number and none "
        f"of {', '.join(_VALUES)}."
    )
