"""`benchmarks.hlo` reads a compiled program's text: a made-up one, in the form of XLA's."""

import pytest

from benchmarks import hlo

TEXT = """HloModule jit_one, is_scheduled=true

FileNames
1 "/somewhere/memjax/models/layers.py"
2 "/somewhere/memjax/measure.py"

FunctionNames
1 "linear"
2 "compiled.<locals>.one"

FileLocations
1 {file_name_id=2 function_name_id=2 line=93 end_line=93 column=15 end_column=72}
2 {file_name_id=1 function_name_id=1 line=10 end_line=10 column=1 end_column=2}

StackFrames
1 {file_location_id=1 parent_frame_id=1}
2 {file_location_id=2 parent_frame_id=1}


%fused_computation.1 (p: bf16[4,8]) -> bf16[4,16] {
  %p = bf16[4,8]{1,0:T(8,128)(2,1)} parameter(0)
  ROOT %convolution.1 = bf16[4,16]{1,0} convolution(%p, %p), dim_labels=bf_io->bf, operand_precision={highest,highest}
}

%body.1 (t: (s32[], f32[4,8])) -> (s32[], f32[4,8]) {
  %t = (s32[]{:T(128)}, f32[4,8]{1,0}, /*index=2*/f32[2]{0}) parameter(0)
  %fusion.1 = bf16[4,16]{1,0:T(8,128)(2,1)S(1)} fusion(%t), kind=kOutput, calls=%fused_computation.1, metadata={op_name="jit(one)/while/body/dot_general" stack_frame_id=2}, backend_config={"window_config":{"estimated_cycles":"700"}}
  %kernel.1 = bf16[4,16]{1,0} custom-call(%fusion.1), custom_call_target="tpu_custom_call", metadata={op_name="jit(one)/while/body/pallas_call" stack_frame_id=2}
  ROOT %tuple.1 = (s32[], f32[4,8]) tuple(%t)
}

%condition.1 (t: (s32[], f32[4,8])) -> pred[] {
  %constant.9 = s32[]{:T(128)} constant(12)
  ROOT %lt = pred[] compare(%t, %constant.9), direction=LT
}

%small.1 (x: f32[4]) -> f32[4] {
  ROOT %copy.3 = f32[4]{0} copy(%x), backend_config={"estimated_cycles":"5"}
}

%large.1 (x: f32[4]) -> f32[4] {
  ROOT %copy.4 = f32[4]{0} copy(%x), backend_config={"estimated_cycles":"9"}
}

ENTRY %main.1 (x: u8[4,8]) -> f32[4] {
  %x = u8[4,8]{1,0} parameter(0)
  %copy.1 = f32[4,8]{1,0} copy(%x), metadata={op_name="jit(one)/transpose" stack_frame_id=1}, backend_config={"estimated_cycles":"100"}
  %while.1 = (s32[], f32[4,8]{1,0}, /*index=2*/f32[2]{0}) while(%copy.1), condition=%condition.1, body=%body.1
  %gather.1 = f32[4]{0} gather(%while.1, %x), backend_config={"estimated_cycles":"30"}
  %call.1 = f32[4,4]{1,0} custom-call(%gather.1), custom_call_target="__cublas$lt$matmul", backend_config={"precision_config":{"operand_precision":["DEFAULT","HIGH"]}}
  %dot.1 = f32[4,4]{1,0} dot(%gather.1, %gather.1), lhs_contracting_dims={1}, backend_config={"estimated_cycles":"1"}
  ROOT %conditional.1 = f32[4]{0} conditional(%x, %dot.1, %dot.1), true_computation=%small.1, false_computation=%large.1
}
"""


@pytest.fixture(scope="module")
def program() -> hlo.Program:
    return hlo.parse(TEXT)


def test_cycles_by_section(program):
    assert program.sections() == {"prologue": 100, "loop 1": 700, "epilogue": 30 + 1 + 9}
    assert program.trips(program.loops[0]) == 12
    assert program.total(program.entry) == 100 + 12 * 700 + 30 + 1 + 9, "of two branches the dearer one"


def test_the_compilers_own_number_of_rounds():
    known = TEXT.replace("body=%body.1\n", 'body=%body.1, backend_config={"known_trip_count":{"n":"3"}}\n')
    found = hlo.parse(known)
    assert found.trips(found.loops[0]) == 3


def test_pieces_are_named_by_what_they_were_traced_from(program):
    dearest, second = program.pieces()[:2]
    assert dearest == hlo.Piece("loop 1", "layers.linear", "dot_general", "bf16[4,16]", 700)
    assert (second.source, second.operation) == ("measure.compiled", "transpose")


def test_kernels_without_an_estimate_are_told(program):
    assert [(section, x.name) for section, x in program.unpriced()] == [("loop 1", "kernel.1"), ("epilogue", "call.1")]


def test_products_and_their_precision(program):
    found = {x.name: (x.dtype, x.precision) for x in program.products()}
    assert found == {
        "convolution.1": ("bf16", ("highest", "highest")),
        "call.1": ("f32", ("default", "high")),
        "dot.1": ("f32", ("default", "default")),
    }


@pytest.mark.parametrize(("op", "names"), [("gather", ["gather.1"]), ("scatter", []), ("while", ["while.1"])])
def test_instructions_by_kind(program, op, names):
    assert [x.name for x in program.of(op)] == names


def test_shapes_have_no_layout(program):
    shapes = {x.name: x.shape for x in program.of("while", "convolution")}
    assert shapes == {"while.1": "(s32[], f32[4,8], f32[2])", "convolution.1": "bf16[4,16]"}
