from celery import shared_task

from allo.codes import pruning


@shared_task
def prune() -> None:
    pruning.prune()
