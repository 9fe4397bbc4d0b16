"""A bare loop over transformers' `generate`: what an evaluation costs with nothing around the model.

    python -m benchmarks.bare_generate MODEL QUESTIONS ANSWERS NEW_TOKENS

Reads `{"id", "text", "label"}` lines, renders each through the chat template, sorts them by length, generates greedily
in batches of 128, and writes `{"id", "answer", "right"}` lines. `benchmarks/evaluation.py` runs it as a process.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

BATCH = 128


def main(model: str, questions: str, answers: str, new_tokens: str) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    tokenizer = AutoTokenizer.from_pretrained(model, padding_side="left")
    network = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32).eval()
    rows = [json.loads(line) for line in Path(questions).read_text().splitlines()]
    prompts = [
        tokenizer.apply_chat_template(
            [{"role": "user", "content": row["text"]}], tokenize=False, add_generation_prompt=True
        )
        for row in rows
    ]
    order = sorted(range(len(rows)), key=lambda index: len(prompts[index]))
    said = [""] * len(rows)
    for start in range(0, len(order), BATCH):
        chosen = order[start : start + BATCH]
        batch = tokenizer(
            [prompts[index] for index in chosen], add_special_tokens=False, padding=True, return_tensors="pt"
        )
        with torch.inference_mode():
            made = network.generate(
                input_ids=batch["input_ids"],
                attention_mask=batch["attention_mask"],
                max_new_tokens=int(new_tokens),
                do_sample=False,
            )
        texts = tokenizer.batch_decode(made[:, batch["input_ids"].shape[1] :], skip_special_tokens=True)
        for index, text in zip(chosen, texts, strict=True):
            said[index] = text
    lines = [
        json.dumps({"id": row["id"], "answer": text, "right": text == row["label"]})
        for row, text in zip(rows, said, strict=True)
    ]
    Path(answers).write_text("\n".join(lines) + "\n")
    print(f"{sum(text == row['label'] for row, text in zip(rows, said, strict=True)) / len(rows):.4f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
