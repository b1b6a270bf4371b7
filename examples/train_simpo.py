"""Train a policy on a dataset by SimPO with TRL, on a CPU or a GPU, and save it for the next iteration.

python examples/train_simpo.py DATASET POLICY OUT [STEPS]      (DATASET: the folder with train.parquet)
"""

import sys

from datasets import load_dataset
from transformers import AutoModelForCausalLM, AutoTokenizer, PrinterCallback
from trl.experimental.cpo import CPOConfig, CPOTrainer


def main(dataset: str, policy: str, out: str, steps: str = "30") -> None:
    pairs = load_dataset("parquet", data_files=f"{dataset}/train.parquet", split="train")
    model = AutoModelForCausalLM.from_pretrained(policy, dtype="float32")
    tokenizer = AutoTokenizer.from_pretrained(policy)
    config = CPOConfig(
        output_dir=out,
        loss_type="simpo",
        cpo_alpha=0.0,  # SimPO alone, without a term for the chosen responses' likelihood
        beta=2.0,
        simpo_gamma=1.0,
        max_length=256,
        per_device_train_batch_size=16,
        per_device_eval_batch_size=16,
        learning_rate=1e-4,
        max_steps=int(steps),
        logging_strategy="no",
        save_strategy="no",
        report_to=[],
        bf16=False,
        disable_tqdm=True,
    )
    trainer = CPOTrainer(model=model, args=config, train_dataset=pairs, eval_dataset=pairs, processing_class=tokenizer)
    trainer.remove_callback(PrinterCallback)  # two lines say it
    for when in ("before", "after"):
        found = trainer.evaluate()
        figures = {name: found[f"eval_{name}"] for name in ("loss", "rewards/margins", "rewards/accuracies")}
        print(when, {name: round(value, 4) for name, value in figures.items()})
        if when == "before":
            trainer.train()
    trainer.save_model(out)
    tokenizer.save_pretrained(out)
    print(f"saved to {out}")


if __name__ == "__main__":
    main(*sys.argv[1:])
