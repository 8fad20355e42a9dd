"""What loads a format and trains on it, to be copied: Python, or commands of a shell.

`{python}` and `{shell}` are the format's path, quoted; models and addresses are examples.
"""

from __future__ import annotations

OPENAI = """from openai import OpenAI

client = OpenAI()
with open({python}, "rb") as file:
    uploaded = client.files.create(file=file, purpose="fine-tune")
client.fine_tuning.jobs.create(training_file=uploaded.id, model="gpt-4.1-mini-2025-04-14")
"""

HUGGINGFACE = """from datasets import load_from_disk

data = load_from_disk({python})
print(data["train"][0]["input"], data["validation"].num_rows)
"""

CHAT = """from datasets import load_dataset
from trl import SFTConfig, SFTTrainer

data = load_dataset({python})
trainer = SFTTrainer(
    model="Qwen/Qwen3-0.6B",
    train_dataset=data["train"],
    eval_dataset=data["validation"],
    args=SFTConfig(output_dir="out"),
)
trainer.train()
"""

SHAREGPT = """from datasets import load_dataset
from unsloth.chat_templates import standardize_sharegpt

data = standardize_sharegpt(load_dataset({python})["train"])
print(data[0]["conversations"])
"""

OPENAI_PREFERENCE = """from openai import OpenAI

client = OpenAI()
folder = {python}
uploaded = {{}}
for part in ("train", "validation"):
    with open(f"{{folder}}/{{part}}.jsonl", "rb") as file:
        uploaded[part] = client.files.create(file=file, purpose="fine-tune").id
client.fine_tuning.jobs.create(
    training_file=uploaded["train"],
    validation_file=uploaded["validation"],
    model="gpt-4.1-mini-2025-04-14",
    method={{"type": "dpo", "dpo": {{"hyperparameters": {{"beta": 0.1}}}}}},
)
"""

TRL_DPO = """from datasets import load_dataset
from trl import DPOConfig, DPOTrainer

data = load_dataset({python})
trainer = DPOTrainer(
    model="Qwen/Qwen3-0.6B",
    train_dataset=data["train"],
    eval_dataset=data["validation"],
    args=DPOConfig(output_dir="out"),
)
trainer.train()
"""

TRL_KTO = """from datasets import load_dataset
from trl import KTOConfig, KTOTrainer

data = load_dataset({python})
trainer = KTOTrainer(
    model="Qwen/Qwen3-0.6B",
    train_dataset=data["train"],
    eval_dataset=data["validation"],
    args=KTOConfig(output_dir="out"),
)
trainer.train()
"""

LLAMA_FACTORY = """llamafactory-cli train --stage sft --do_train --finetuning_type lora \\
    --model_name_or_path Qwen/Qwen3-0.6B --template qwen3_nothink --cutoff_len 4096 \\
    --dataset_dir {shell} --dataset mindcorpus_sft \\
    --eval_dataset mindcorpus_sft_validation --output_dir out-sft

# The pairs, where the folder holds any:
llamafactory-cli train --stage dpo --do_train --finetuning_type lora \\
    --model_name_or_path Qwen/Qwen3-0.6B --template qwen3_nothink --cutoff_len 4096 \\
    --dataset_dir {shell} --dataset mindcorpus_dpo \\
    --eval_dataset mindcorpus_dpo_validation --output_dir out-dpo
"""

AXOLOTL = """cd {shell}
axolotl train sft.yml --base-model Qwen/Qwen3-0.6B

# The pairs, where the folder holds any:
axolotl train dpo.yml --base-model Qwen/Qwen3-0.6B
"""

MS_SWIFT = """swift sft --model Qwen/Qwen3-0.6B \\
    --dataset {shell}/sft_train.jsonl --val_dataset {shell}/sft_validation.jsonl

# The pairs, where the folder holds any:
swift rlhf --rlhf_type dpo --model Qwen/Qwen3-0.6B \\
    --dataset {shell}/dpo_train.jsonl --val_dataset {shell}/dpo_validation.jsonl
"""

MLX = """mlx_lm.lora --train --model mlx-community/Qwen3-0.6B-4bit --data {shell}
"""

GEMINI = """# First: gcloud storage cp {shell}/*.jsonl gs://BUCKET/
from google import genai
from google.genai import types

client = genai.Client(vertexai=True, project="PROJECT", location="us-central1")
client.tunings.tune(
    base_model="gemini-2.5-flash",
    training_dataset=types.TuningDataset(gcs_uri="gs://BUCKET/train.jsonl"),
    config=types.CreateTuningJobConfig(
        validation_dataset=types.TuningValidationDataset(gcs_uri="gs://BUCKET/validation.jsonl")
    ),
)
"""

BEDROCK = """# First: aws s3 cp --recursive {shell} s3://BUCKET/ --exclude "*" --include "*.jsonl"
import boto3

boto3.client("bedrock").create_model_customization_job(
    jobName="mindcorpus",
    customModelName="mindcorpus",
    roleArn="arn:aws:iam::ACCOUNT:role/ROLE",
    baseModelIdentifier="amazon.nova-lite-v1:0:300k",
    customizationType="FINE_TUNING",
    trainingDataConfig={{"s3Uri": "s3://BUCKET/train.jsonl"}},
    validationDataConfig={{"validators": [{{"s3Uri": "s3://BUCKET/validation.jsonl"}}]}},
    outputDataConfig={{"s3Uri": "s3://BUCKET/out/"}},
)
"""

LABEL_STUDIO = '''import json
from label_studio_sdk import LabelStudio

folder = {python}
client = LabelStudio(base_url="http://localhost:8080", api_key="KEY")
config = """<View>
  <Text name="input" value="$input"/>
  <Text name="response" value="$response"/>
  <Choices name="quality" toName="response"><Choice value="good"/><Choice value="bad"/></Choices>
</View>"""
project = client.projects.create(title="mindcorpus", label_config=config)
with open(f"{{folder}}/tasks.json", encoding="utf-8") as file:
    client.projects.import_tasks(id=project.id, request=json.load(file))
'''

ARGILLA = """import json
import argilla as rg

folder = {python}
client = rg.Argilla(api_url="http://localhost:6900", api_key="KEY")
settings = rg.Settings(
    fields=[rg.TextField(name="input"), rg.TextField(name="response")],
    questions=[rg.LabelQuestion(name="quality", labels=["good", "bad"])],
    metadata=[
        rg.IntegerMetadataProperty(name="corpus_row"),
        *(rg.TermsMetadataProperty(name=name) for name in ("source", "type", "tags")),
    ],
)
dataset = rg.Dataset(name="mindcorpus", settings=settings, client=client)
dataset.create()
with open(f"{{folder}}/train.jsonl", encoding="utf-8") as file:
    dataset.records.log([rg.Record(**json.loads(line)) for line in file])
"""
