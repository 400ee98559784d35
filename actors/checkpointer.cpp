#include "actors/checkpointer.hpp"

#include "actors/compute_thread.hpp"
#include "core/checkpoint.hpp"
#include "nn/model_tensors.hpp"

#include <caf/all.hpp>

namespace triage {

namespace {

struct checkpointer_state {
  static inline const char* name = "checkpointer";
};

checkpointer_actor::behavior_type checkpointer(checkpointer_actor::stateful_pointer<checkpointer_state> self,
                                               shared_context context, const coordinator_actor& coordinator) {
  self->monitor(coordinator);
  self->set_down_handler([self](const caf::down_msg&) { self->quit(); });
  return {
      [self, context, coordinator](checkpoint_order& order) {
        checkpoint_outcome out;
        std::string refused;
        if (!context->checkpoint_directory.empty())
          out.problem = guarded([&] {
            const auto content = [&](saved_state state) {
              return checkpoint_content{
                  static_cast<std::int64_t>(order.at.version),
                  read_model(context->setup->net->parameters(), order.at.parameters.view()),
                  std::move(state)};
            };
            if (order.best)
              if (const auto kept =
                      write_checkpoint(context->best_directory, content(order.state), only_this);
                  !kept.ok())
                out.best_problem = kept.error().message;
            const auto written =
                write_checkpoint(context->checkpoint_directory, content(std::move(order.state)),
                                 context->setup->config.checkpoint_keep);
            if (written.ok())
              out.path = *written;
            else
              refused = written.error().message;
          });
        if (out.problem.empty())
          out.problem = refused;
        self->send(coordinator, std::move(out));
      },
  };
}

} // namespace

checkpointer_actor spawn_checkpointer(caf::local_actor& parent, const shared_context& context,
                                      const coordinator_actor& coordinator) {
  return spawn_compute(parent, context, checkpointer, coordinator);
}

} // namespace triage
