#include "folder_grants.h"

#include <unistd.h>

namespace candor::cli {
namespace {

// Whether the data folder, and so the signer's key, lies in this folder or below it. A right on
// such a folder would open the key to the monitor: Landlock has no deny rule (S5).
bool holds_data(const Path& folder, const Path& data_dir) {
  std::error_code ignored;
  const Path data = std::filesystem::weakly_canonical(data_dir, ignored);
  const Path from = data.lexically_relative(std::filesystem::weakly_canonical(folder, ignored));
  return !from.empty() && *from.begin() != "..";
}

// The folder of a file, so that the file may be replaced; or the file alone.
Path grant_for(const Path& file, const Path& data_dir) {
  return holds_data(file.parent_path(), data_dir) ? file : file.parent_path();
}

// A file that may be a symbolic link, as certificate tools lay them, and may be replaced: where it
// is named and where it is.
void grant_file(std::vector<store::FolderGrant>& grants, const Path& file, const Path& data_dir) {
  if (file.empty()) return;
  grants.push_back({grant_for(file, data_dir), store::FolderGrant::Rights::kRead});
  std::error_code ignored;
  const Path real = std::filesystem::canonical(file, ignored);
  if (!real.empty() && real != file) {
    grants.push_back({grant_for(real, data_dir), store::FolderGrant::Rights::kRead});
  }
}

}  // namespace

Result<std::vector<store::FolderGrant>> folder_grants(const config::Config& config,
                                                      const Path& program_folder) {
  using Rights = store::FolderGrant::Rights;
  std::vector<store::FolderGrant> grants{{program_folder, Rights::kReadExecute},
                                         {"/usr", Rights::kReadExecute},
                                         {"/lib", Rights::kReadExecute},
                                         {"/lib64", Rights::kReadExecute},
                                         {"/etc", Rights::kRead},
                                         {"/proc", Rights::kRead},
                                         {"/sys", Rights::kRead},
                                         {"/dev/null", Rights::kReadWrite},
                                         {"/dev/urandom", Rights::kRead}};
  // An engine's user namespace gets its map from the child that is in it, under a number that
  // nobody knows before. Root needs no such namespace, and for root writing here would be ruling
  // the machine; for others it opens nothing that their user cannot have anyway.
  if (::geteuid() != 0) grants.push_back({"/proc", Rights::kReadWrite});
  if (!config.engine.binary.empty()) {
    grants.push_back({config.engine.binary.parent_path(), Rights::kReadExecute});
  }
  // A socket outside of the data folder: for users who cannot reach into that.
  const Path socket = config.listen.unix_socket;
  if (!socket.empty() && socket.parent_path() != store::DataPaths(config.data_dir).run()) {
    if (holds_data(socket.parent_path(), config.data_dir)) {
      return fail(Code::kInvalidArgument,
                  "listen.unix_socket may not stand in a folder that holds the data folder: the "
                  "right to make it there would open the signer's key; use one of its own");
    }
    grants.push_back({socket.parent_path(), Rights::kReadWrite});
  }
  grant_file(grants, config.oidc.ca, config.data_dir);
  if (config.oidc.keys.starts_with('/')) grant_file(grants, config.oidc.keys, config.data_dir);
  for (const auto* files : {&config.policy.files, &config.policy.detectors}) {
    for (const Path& file : *files) grant_file(grants, file, config.data_dir);
  }
  if (!config.file.empty())
    grants.push_back({grant_for(config.file, config.data_dir), Rights::kRead});
  for (const config::Model& model : config.models) {
    if (!model.path.empty())
      grants.push_back({grant_for(model.path, config.data_dir), Rights::kRead});
    for (const Path& adapter : model.adapters)
      grants.push_back({grant_for(adapter, config.data_dir), Rights::kRead});
    if (!model.chat_template.empty())
      grants.push_back({grant_for(model.chat_template, config.data_dir), Rights::kRead});
    for (const Path& file : {model.upstream_key_file, model.upstream_ca}) {
      grant_file(grants, file, config.data_dir);
    }
  }
  if (config.listen.tls) {
    const config::ListenTls& tls = *config.listen.tls;
    for (const Path& file : {tls.certificate, tls.key, tls.client_ca}) {
      grant_file(grants, file, config.data_dir);
    }
  }
  return grants;
}

}  // namespace candor::cli
