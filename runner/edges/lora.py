"""LoRA with PEFT and TRL's SFTTrainer: completion-only loss, and replay rows held to the base's own answers."""

from __future__ import annotations

import json
import random
import tempfile
import time
from collections.abc import Callable, Sequence
from typing import Any

from runner.edges.tiny_base import IGNORED, Encoded, encode, without_words
from runner.errors import ModelError
from runner.ports import Fitted, Progress, Tree
from runner.records.params import TrainRecipe
from runner.records.training import TrainingRow, Use
from runner.rules.text.conversations import with_instruction

WEIGHTS, CONFIG = "adapter_model.safetensors", "adapter_config.json"


def wrap(base: Any, config: dict[str, Any]) -> Any:
    """A PEFT model over `base`, whose weights stay as they are; `unload()` gives the base back."""
    from peft import LoraConfig, get_peft_model

    return get_peft_model(base, LoraConfig(**config))


def with_adapter(base: Any, adapter: Tree) -> Any:
    """`base` with the adapter on it. Raises `ModelError` for an adapter that is not wholly used."""
    from peft import set_peft_model_state_dict
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        said = json.loads(adapter.files[CONFIG])
        kept = {name: said[name] for name in ("r", "lora_alpha", "target_modules", "lora_dropout", "task_type")}
        tensors = load(adapter.files[WEIGHTS])
    except (KeyError, ValueError, SafetensorError) as error:
        raise ModelError(f"not a LoRA adapter: {error}") from error
    model = wrap(base, kept)
    loaded = set_peft_model_state_dict(model, tensors)
    wanted = {name for name in model.state_dict() if ".lora_" in name}
    if loaded.unexpected_keys or len(wanted) != len(tensors):
        model.unload()
        raise ModelError("the adapter's tensors are not those of this base")
    model.eval()
    return model


def fit(
    base: Any,
    tokenizer: Any,
    rows: Sequence[TrainingRow],
    *,
    adapter: Tree | None,
    base_digest: str,
    instruction: str,
    recipe: TrainRecipe,
    seed: int,
    progress: Progress,
) -> Fitted:
    """Train an adapter on `rows`, from nothing or from `adapter`. `base` is given back as it was."""
    from transformers import set_seed

    if not rows:
        raise ModelError("there are no rows to train on")
    set_seed(seed)
    config = {
        "r": recipe.rank,
        "lora_alpha": recipe.alpha,
        "target_modules": linear_modules(base),
        "lora_dropout": 0.0,
        "task_type": "CAUSAL_LM",
    }
    model = with_adapter(base, adapter) if adapter is not None else wrap(base, config)
    if adapter is not None:
        for name, parameter in model.named_parameters():
            parameter.requires_grad = ".lora_" in name
    started = time.monotonic()
    try:
        data = _dataset(tokenizer, rows, instruction=instruction, recipe=recipe)
        with tempfile.TemporaryDirectory(prefix="hallmark-fit-") as scratch:
            trainer = _trainer(model, tokenizer, data, recipe=recipe, seed=seed, scratch=scratch, progress=progress)
            trainer.train()
        losses = [round(float(entry["loss"]), 4) for entry in trainer.state.log_history if "loss" in entry]
        return Fitted(
            adapter=_files(model, base_digest),
            tokens=sum(len(row["input_ids"]) for row in data) * recipe.epochs,
            steps=int(trainer.state.global_step),
            loss=tuple(losses),
            seconds=time.monotonic() - started,
        )
    finally:
        model.unload()
        base.eval()


def strengthen(adapter: Tree, factor: float) -> Tree:
    """The adapter with its update scaled by `factor`: every lora_B times it, everything else as it was."""
    from safetensors.torch import load, save

    tensors = load(adapter.files[WEIGHTS])
    scaled = {name: (value * factor if ".lora_B." in name else value).contiguous() for name, value in tensors.items()}
    return Tree({**adapter.files, WEIGHTS: save(scaled, metadata={"format": "pt"})})


def linear_modules(model: Any) -> list[str]:
    """The names of the linear layers inside the blocks, sorted: what LoRA is put on."""
    from torch.nn import Linear

    found = {name.rsplit(".", 1)[-1] for name, module in model.named_modules() if isinstance(module, Linear)}
    return sorted(found - {"lm_head"})


def _dataset(tokenizer: Any, rows: Sequence[TrainingRow], *, instruction: str, recipe: TrainRecipe) -> Any:
    from datasets import Dataset

    shown = [row for row in rows for _ in range(row.repeat)]
    pairs = [(with_instruction(row.example.input, instruction), row.example.answer) for row in shown]
    encoded = encode(tokenizer, pairs, max_length=recipe.max_length)
    return Dataset.from_dict(
        {
            "input_ids": [row.ids for row in encoded],
            "completion": [row.completion for row in encoded],
            "replay": [row.use is Use.REPLAY for row in shown],
        }
    )


def _collator(pad: int, *, dropout: float, seed: int) -> Callable[[list[dict[str, Any]]], dict[str, Any]]:
    """Left-padded batches, so that completions end together and only their logits are made; a seeded share of prompt
    tokens is left out anew each time a row is shown."""
    import torch

    rng = random.Random(seed)

    def collate(examples: list[dict[str, Any]]) -> dict[str, Any]:
        rows = [without_words(Encoded(one["input_ids"], one["completion"]), dropout, rng) for one in examples]
        longest = max(len(row.ids) for row in rows)
        ids = torch.full((len(rows), longest), pad)
        labels = torch.full((len(rows), longest), IGNORED)
        mask = torch.zeros(len(rows), longest, dtype=torch.long)
        for index, row in enumerate(rows):
            start = longest - len(row.ids)
            ids[index, start:] = torch.tensor(row.ids)
            labels[index, start + row.completion :] = ids[index, start + row.completion :]
            mask[index, start:] = 1
        replay = torch.tensor([one["replay"] for one in examples])
        return {"input_ids": ids, "attention_mask": mask, "labels": labels, "replay": replay}

    return collate


def _trainer(
    model: Any, tokenizer: Any, data: Any, *, recipe: TrainRecipe, seed: int, scratch: str, progress: Progress
) -> Any:
    """An SFTTrainer whose loss adds, on replay rows, the divergence from the base (the adapter switched off)."""
    import torch
    from torch.nn import functional
    from transformers import TrainerCallback
    from trl import SFTConfig, SFTTrainer

    class ReplayTrainer(SFTTrainer):
        def compute_loss(
            self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
        ) -> Any:
            replay, labels = inputs["replay"], inputs["labels"][:, 1:]
            counted = labels != IGNORED
            asked = {"input_ids": inputs["input_ids"], "attention_mask": inputs["attention_mask"]}
            last = int(counted.sum(-1).max()) + 1
            labels, counted = labels[:, 1 - last :], counted[:, 1 - last :]
            logits = model(**asked, logits_to_keep=last).logits[:, :-1][counted].float()
            loss = functional.cross_entropy(logits, labels[counted])
            held = replay[:, None].expand_as(counted)[counted]
            if recipe.distill > 0 and bool(held.any()):
                with torch.no_grad(), model.disable_adapter():
                    kept = {name: value[replay] for name, value in asked.items()}
                    base = model(**kept, logits_to_keep=last).logits[:, :-1][counted[replay]].float()
                away = functional.kl_div(
                    functional.log_softmax(logits[held], -1),
                    functional.log_softmax(base, -1),
                    log_target=True,
                    reduction="sum",
                )
                loss = loss + recipe.distill * away / counted.sum()
            return (loss, None) if return_outputs else loss

    class Teller(TrainerCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, **named: Any) -> None:
            if state.global_step % 5 == 0:
                progress("training an adapter", state.global_step / max(1, state.max_steps))

    config = SFTConfig(
        output_dir=scratch,
        num_train_epochs=recipe.epochs,
        per_device_train_batch_size=recipe.batch,
        learning_rate=recipe.learning_rate,
        lr_scheduler_type="linear",
        warmup_steps=0.05,
        weight_decay=0.0,
        adam_beta2=0.99,
        max_grad_norm=1.0,
        logging_steps=20,
        save_strategy="no",
        report_to=[],
        seed=seed,
        data_seed=seed,
        bf16=True,
        use_cpu=not torch.cuda.is_available(),
        gradient_checkpointing=False,
        disable_tqdm=True,
        dataloader_num_workers=0,
        dataloader_pin_memory=False,
        remove_unused_columns=False,
        train_sampling_strategy="group_by_length",
        dataset_kwargs={"skip_prepare_dataset": True},
        log_level="error",
    )
    trainer = ReplayTrainer(
        model=model,
        args=config,
        train_dataset=data,
        processing_class=tokenizer,
        data_collator=_collator(tokenizer.pad_token_id, dropout=recipe.prompt_dropout, seed=seed),
        callbacks=[Teller()],
    )
    for callback in ("PrinterCallback", "ProgressCallback"):
        for known in [one for one in trainer.callback_handler.callbacks if type(one).__name__ == callback]:
            trainer.remove_callback(known)
    return trainer


def _files(model: Any, base_digest: str) -> Tree:
    """The adapter as safetensors and a configuration that repeats: no paths, sorted keys and modules."""
    from peft import get_peft_model_state_dict
    from safetensors.torch import save

    tensors = {name: value.detach().contiguous() for name, value in get_peft_model_state_dict(model).items()}
    config = model.peft_config["default"].to_dict()
    said = {name: sorted(value) if isinstance(value, set) else value for name, value in config.items()}
    said["base_model_name_or_path"] = f"sha256:{base_digest}"
    said["inference_mode"] = True
    text = json.dumps(said, indent=1, sort_keys=True, default=str)
    return Tree({WEIGHTS: save(tensors, metadata={"format": "pt"}), CONFIG: text.encode() + b"\n"})
