"""The names of arguments, and of what trainings leave, as people read them.

They are kept as plain texts, the keys of mappings, and shown through `by_name`; here the catalogues find them. A name
that is not among them is shown as it is, such as a metric that is the service's own.
"""

from bot.sentences import Sentence, _

ARGUMENTS: tuple[Sentence, ...] = (
    _("base"),
    _("cpus"),
    _("data"),
    _("description"),
    _("eval"),
    _("every"),
    # NOTE: Graphics processors, as the name of a field.
    _("gpu"),
    # NOTE: Options of the hyperparameter optimization, as the name of a field.
    _("hp"),
    # NOTE: The language of texts that a model is trained on, as the name of a field.
    _("language"),
    # NOTE: A launcher is a machine on which Decthings trains.
    _("launcher"),
    # NOTE: Of a machine, as the name of a field.
    _("memory"),
    _("model"),
    _("name"),
    _("parameters"),
    _("product"),
    _("project"),
    # NOTE: The thing at NAVER Cloud AiTEMS for which is trained, as the name of a field.
    _("service"),
    # NOTE: Labeling sessions, as the name of a field.
    _("sessions"),
    # NOTE: What a model has learned, at Decthings, as the name of a field.
    _("state"),
    # NOTE: The data that a model is tested with, as the name of a field.
    _("test"),
    _("title"),
    # NOTE: The data that a model is trained with, as the name of a field.
    _("train"),
    _("types"),
    _("version"),
)
LEFT: tuple[Sentence, ...] = (
    # NOTE: When something was created.
    _("created"),
    # NOTE: Whether a training left a file.
    _("has file"),
    _("model id"),
    _("New model id"),
    # NOTE: When a training was requested.
    _("requested at"),
    _("score"),
    # NOTE: Of a published model, a word of the service.
    _("status"),
    # NOTE: What is being stopped.
    _("stopping"),
    # NOTE: When a published model was changed.
    _("update datetime"),
    _("version"),
    _("versions"),
)
